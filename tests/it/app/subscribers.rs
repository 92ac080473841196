//! One event, five handlers of every kind: each has its own state, and none waits for another.

use super::{Running, breaker::http_to, source, subscription};
use crate::support::{airalo::order, postgres::database, sink::Sink, wait_until};
use hookfast::internals::app::Subscription;
use hookfast::internals::dev::receiver::Mode;
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Delivery, Outcome, RetryPolicy};
use hookfast::internals::handlers::{HandlerError, TransactionalHandler};
use hookfast::internals::store::SettlingTransaction;
use std::time::Duration;

struct Books;

impl TransactionalHandler for Books {
    async fn handle(
        &self,
        delivery: &Delivery,
        transaction: &mut SettlingTransaction,
    ) -> Result<(), HandlerError> {
        sqlx::query("INSERT INTO public.ledger VALUES ('books', $1)")
            .bind(delivery.event.id.0)
            .execute(transaction.connection())
            .await?;
        Ok(())
    }
}

const TABLES: &str = "CREATE TABLE public.ledger (who text, event_id uuid); \
    CREATE FUNCTION public.on_webhook(event hookfast.event) RETURNS void LANGUAGE sql AS \
        $$ INSERT INTO public.ledger VALUES ('function', (event).event_id) $$";

/// Each handler with the states of its deliveries, oldest first.
const STATES: &str = "SELECT string_agg(handler || ' ' || states, ', ' ORDER BY handler) FROM \
    (SELECT handler, string_agg(state || ':' || attempts, ' ' ORDER BY delivery_id) AS states FROM hookfast.deliveries GROUP BY handler) s";

fn on_orders(name: &str) -> Subscription {
    let mut orders = subscription(name);
    orders.types = vec!["airalo.order.*".parse().expect("a pattern")];
    orders
}

async fn until_states(running: &Running, expected: &str) {
    wait_until(expected, async || running.text(STATES).await == expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_its_own_state_and_waits_for_no_other() {
    let (database, sink) = (database().await, Sink::start().await);
    sqlx::raw_sql(TABLES)
        .execute(&mut database.connect().await)
        .await
        .expect("tables");
    sink.mode.set(Mode::Hang);
    let running = Running::start(&database, |builder| {
        let mut retries = on_orders("retries");
        retries.policy.retry = RetryPolicy::Delays(vec![Duration::from_secs(3600); 3]);
        builder
            .source(source(Reject))
            .handler(retries, |_: Delivery| async { Outcome::retry("not today") })
            .transactional_handler(on_orders("books"), Books)
            .sql_handler(on_orders("function"), "public.on_webhook")
            .http_handler(on_orders("hangs"), http_to(&sink))
            .pull_handler(on_orders("pulled"))
    })
    .await;
    assert_eq!(running.post(&order("first-0123456789", 1)).await.0, 200);
    // A client that claims it and disappears.
    let claim = "SELECT * FROM hookfast.claim('pulled', 'a client')";
    assert_eq!(
        sqlx::query(claim)
            .fetch_all(&running.pool)
            .await
            .expect("claimed")
            .len(),
        1
    );
    until_states(
        &running,
        "books delivered:1, function delivered:1, hangs running:1, pulled running:1, retries retrying:1",
    )
    .await;

    // During all this, and with one handler paused, the next event is delivered.
    running
        .execute("SELECT hookfast.pause_handler('retries', 'a test')")
        .await;
    assert_eq!(running.post(&order("second-0123456789", 2)).await.0, 200);
    until_states(
        &running,
        "books delivered:1 delivered:1, function delivered:1 delivered:1, hangs running:1 running:1, \
         pulled running:1 ready:0, retries paused:1 paused:0",
    )
    .await;
    assert_eq!(
        running
            .text("SELECT string_agg(who, ' ' ORDER BY who) FROM public.ledger")
            .await,
        "books books function function"
    );

    // The client's lease ends, and another client does its work. The receiver answers, fails once,
    // and gets both events again.
    running
        .execute(
            "UPDATE hookfast_data.leases SET expires_at = clock_timestamp() - interval '1 minute' WHERE kind = 'pull'",
        )
        .await;
    sink.mode.set(Mode::Ok);
    wait_until("the pulled ones to be completed", async || {
        for row in sqlx::query(claim).fetch_all(&running.pool).await.expect("a claim") {
            running.complete(&row).await;
        }
        running.count("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'pulled' AND state = 'delivered'").await
            == 2
    })
    .await;
    until_states(
        &running,
        "books delivered:1 delivered:1, function delivered:1 delivered:1, hangs delivered:2 delivered:2, \
         pulled delivered:2 delivered:1, retries paused:1 paused:0",
    )
    .await;
    let history = "SELECT string_agg(handler || ' ' || outcome || ' ' || coalesce(status::text, ''), ', ' ORDER BY handler, attempt_number) \
        FROM hookfast.attempts JOIN hookfast.events USING (event_id) WHERE idempotency_key LIKE '%first%'";
    assert_eq!(
        running.text(history).await,
        "books delivered , function delivered , hangs retry 503, hangs delivered 200, pulled lost , pulled delivered , retries retry "
    );
    running.end().await;
}
