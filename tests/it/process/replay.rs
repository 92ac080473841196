//! A replay survives the death of its process, and an alert reaches its subscriber.

use super::{all_settled, count};
use crate::support::{airalo::Sending, postgres::database, server::Server, sink::Sink, wait_until};

const ORDERS: u64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_neither_skips_nor_repeats_an_event_although_its_process_is_killed_twice() {
    let (database, sink) = (database().await, Sink::start().await);
    let config = sink.config("");
    let mut server = Server::serve(database.url(), &config, &[]);
    server.ready().await;
    Sending::start(vec![server.ingress().await], 0..ORDERS, 8)
        .finish()
        .await;
    let pool = database.pool().await;
    all_settled(&pool).await;
    let replay: i64 = sqlx::query_scalar(
        "SELECT replay_id FROM hookfast.replay_all('sink', type => 'airalo.order.*', per_second => 60, new_webhook_id => true, why => 'a test', at_most => 300)",
    )
    .fetch_one(&pool)
    .await
    .expect("a replay");
    let replayed = async || count(&pool, "SELECT replayed FROM hookfast.replays").await;
    for so_far in [60, 180] {
        wait_until("the replay to go on", async || replayed().await >= so_far).await;
        assert!(replayed().await < 300, "it still runs");
        server.kill().await;
        server = Server::serve(database.url(), &config, &[]);
        server.ready().await;
    }
    wait_until("the end of the replay", async || {
        count(
            &pool,
            "SELECT count(*) FROM hookfast.replays WHERE state = 'done'",
        )
        .await
            == 1
    })
    .await;
    all_settled(&pool).await;
    assert_eq!(replayed().await, 300);
    let twice = "SELECT count(*) FROM (SELECT event_id FROM hookfast.deliveries WHERE handler = 'sink' AND state = 'delivered' GROUP BY event_id HAVING count(*) = 2) d";
    assert_eq!(
        count(&pool, twice).await,
        300,
        "each was delivered at its arrival, and once again"
    );
    let again = sink
        .counts()
        .into_keys()
        .filter(|id| id.ends_with(&format!("-replay-{replay}")))
        .count();
    assert_eq!(
        again, 300,
        "the receiver could detect that it had to repeat the work"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_of_a_dead_letter_reaches_its_subscribers() {
    let (database, sink) = (database().await, Sink::start().await);
    sink.mode
        .set(hookfast::internals::dev::receiver::Mode::Fail(
            axum::http::StatusCode::BAD_REQUEST,
        ));
    let on_call = Sink::start().await;
    let alerts = format!(
        "{}\n[handlers.on_call]\nkind = \"http\"\ntypes = [\"hookfast.*\"]\nurl = \"http://{}/\"\nsecrets = [\"env:HANDLER_SECRET\"]\nallow_private = true\n",
        sink.config("retry = { delays = [\"10ms\"] }"),
        on_call.address
    );
    let server = Server::serve(database.url(), &alerts, &[]);
    server.ready().await;
    Sending::start(vec![server.ingress().await], 0..3, 1)
        .finish()
        .await;
    wait_until("the alert of three dead letters", async || {
        on_call.requests() == 3
    })
    .await;
    let pool = database.pool().await;
    let alerts = "SELECT count(*) FROM hookfast.alerts n JOIN hookfast.dead_letters d ON (n.payload->>'delivery_id')::bigint = d.delivery_id WHERE n.type = 'hookfast.delivery.dead'";
    assert_eq!(count(&pool, alerts).await, 3);
    assert_eq!(
        sink.counts().len(),
        3,
        "a handler with the pattern * gets no alert"
    );
    let health = "SELECT count(*) FROM hookfast.processes WHERE alive AND not_ready IS NULL AND roles = '{ingress,worker}'";
    wait_until("the process to show", async || {
        count(&pool, health).await == 1
    })
    .await;
}
