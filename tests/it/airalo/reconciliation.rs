//! A webhook that never comes: the order is awaited, looked for, found or told.

use super::{Airalo, at_once};
use crate::support::{postgres, server::AIRALO_SECRET, wait_until};
use hookfast::{
    airalo::{
        Account, Found, PlaceError, Reconciler,
        client::{Client, NewOrder},
        place_order, place_order_again,
    },
    app::{Builder, Subscription},
    dev::airalo_emulator::FaultPlan,
    domain::OnInvalidSignature,
    ingress::Source,
    signing::Secret,
    sources::airalo::{self, ClientSettings},
    store::{DatabaseClock, source_ids},
};
use sqlx::{AssertSqlSafe, PgPool};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A shop's Hookfast, with the projection, against a local Airalo.
pub(super) struct Shop {
    pub(super) airalo: Airalo,
    pub(super) client: Arc<Client>,
    pub(super) pool: PgPool,
    pub(super) webhook_url: String,
    url: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _database: postgres::Database,
}

impl Shop {
    pub(super) async fn start(faults: FaultPlan, every: Duration) -> Self {
        Self::with(faults, every, |builder| builder).await
    }

    pub(super) async fn with(
        faults: FaultPlan,
        every: Duration,
        declare: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let airalo = Airalo::start(faults).await;
        let settings = ClientSettings {
            timeout: Duration::from_millis(1500),
            ..airalo.settings()
        };
        let client = Arc::new(Client::new(settings).expect("an address"));
        let database = postgres::database().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let webhook_url = format!(
            "http://{}/webhooks/airalo",
            listener.local_addr().expect("bound")
        );
        let secret =
            Secret::new("env:AIRALO_CLIENT_SECRET", AIRALO_SECRET.into()).expect("long enough");
        let name: hookfast::domain::SourceName = "airalo".parse().expect("a name");
        let source = Source::new(
            name.clone(),
            Arc::new(airalo::Airalo),
            vec![secret],
            OnInvalidSignature::Reject,
        );
        let builder = Builder::new(database.url())
            .expect("a URL")
            .ingress(listener)
            .shutdown_timeout(Duration::from_secs(5))
            .source(source.expect("a secret"))
            .airalo_handler(Subscription::new("projection", &["airalo.*"]).expect("a name"))
            .airalo(Account {
                source: name,
                client: client.clone(),
                every,
            });
        let (app, stop) = (declare(builder).build(), CancellationToken::new());
        let stopping = stop.clone();
        let task = tokio::spawn(async move { app.run(stopping).await.expect("it runs") });
        let pool = database.pool().await;
        let shop = Self {
            airalo,
            client,
            pool,
            webhook_url,
            url: database.url().to_owned(),
            stop,
            task,
            _database: database,
        };
        let ready = br#"{"level":"90%","iccid":"start","package_name":"p"}"#;
        wait_until("the ingress", async || {
            crate::support::airalo::post(shop.ingress(), ready).await.0 == 200
        })
        .await;
        shop
    }

    pub(super) fn ingress(&self) -> SocketAddr {
        let address = self
            .webhook_url
            .strip_prefix("http://")
            .and_then(|rest| rest.split('/').next());
        address
            .and_then(|address| address.parse().ok())
            .expect("an address")
    }

    pub(super) fn order(&self, description: &str) -> NewOrder {
        NewOrder {
            package_id: "emulated-7days-1gb".into(),
            quantity: 1,
            description: description.to_owned(),
            webhook_url: Some(self.webhook_url.clone()),
        }
    }

    pub(super) async fn place(
        &self,
        description: &str,
        within: Duration,
    ) -> Result<String, PlaceError> {
        let placed = place_order(
            &self.pool,
            &self.client,
            "airalo",
            &self.order(description),
            within,
        )
        .await;
        placed.map(|placed| placed.request_id)
    }

    /// The same where the description was used before.
    pub(super) async fn place_again(
        &self,
        description: &str,
        within: Duration,
    ) -> Result<String, PlaceError> {
        let placed = place_order_again(
            &self.pool,
            &self.client,
            "airalo",
            &self.order(description),
            within,
        )
        .await;
        placed.map(|placed| placed.request_id)
    }

    pub(super) async fn text(&self, query: &str) -> String {
        let query = format!("SELECT coalesce(({query})::text, 'null')");
        sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&self.pool)
            .await
            .expect("a text")
    }

    pub(super) async fn execute(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&self.pool)
            .await
            .expect("a statement");
    }

    pub(super) async fn until(&self, query: &str, expected: &str) {
        wait_until(&format!("{query} = {expected}"), async || {
            self.text(query).await == expected
        })
        .await;
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("it ends in good order");
    }
}

pub(super) const NEVER: Duration = Duration::from_secs(3600);
pub(super) const STATE: &str = "SELECT string_agg(description || ' ' || state, ', ' ORDER BY description) FROM hookfast.airalo_orders";
const OVERDUE: &str = "SELECT count(*) FROM hookfast.alerts WHERE type = 'airalo.order.overdue'";

#[tokio::test]
async fn a_webhook_that_never_comes_is_found_in_airalos_list() {
    let shop = Shop::start(
        FaultPlan {
            lost: 1.0,
            ..at_once()
        },
        Duration::from_millis(100),
    )
    .await;
    // Long enough for the answer, or it is looked for without its request.
    let request = shop
        .place("shop-1", Duration::from_secs(1))
        .await
        .expect("taken");
    shop.until(STATE, "shop-1 completed").await;
    let event = format!(
        "SELECT origin || ' ' || idempotency_key || ' ' || verified_by FROM hookfast.events WHERE type = 'airalo.order.completed' AND idempotency_key LIKE '%{request}%'"
    );
    assert_eq!(
        shop.text(&event).await,
        format!("api order:{request}:completed api:airalo")
    );
    // Should it come after all, it is the same.
    let books = shop.airalo.emulator.state();
    let order = shop
        .client
        .order(&books["orders"][0]["id"].to_string())
        .await
        .expect("listed");
    let late = format!(
        r#"{{"meta":{{"message":"success"}},"request_id":"{request}","data":{}}}"#,
        order.json
    );
    let (status, answer) = crate::support::airalo::post(shop.ingress(), late.as_bytes()).await;
    assert_eq!(
        (status, answer["status"].as_str()),
        (200, Some("duplicate")),
        "{answer}"
    );
    assert_eq!(
        shop.text("SELECT bool_or(possible_double_purchase) FROM hookfast.airalo_orders")
            .await,
        "false"
    );
    shop.end().await;
}

#[tokio::test]
async fn an_order_that_airalo_has_not_is_told_once_and_can_be_forgotten() {
    let shop = Shop::start(at_once(), Duration::from_millis(50)).await;
    shop.execute(
        "SELECT hookfast.airalo_expect_order('nobody-knows-this-request', 'shop-9', interval '1 millisecond')",
    )
    .await;
    shop.until(OVERDUE, "1").await;
    shop.until(
        "SELECT min(checks) >= 3 FROM hookfast_data.airalo_expected",
        "true",
    )
    .await;
    assert_eq!(shop.text(OVERDUE).await, "1");
    assert_eq!(shop.text(STATE).await, "shop-9 overdue");
    let payload = "SELECT concat_ws(' ', payload->>'request_id', payload->>'description', payload->>'message') FROM hookfast.alerts WHERE type = 'airalo.order.overdue'";
    assert_eq!(
        shop.text(payload).await,
        "nobody-knows-this-request shop-9 Airalo's list has no order with this description"
    );
    shop.execute("SELECT hookfast.airalo_forget_order('shop-9', 'it was never placed')")
        .await;
    assert_eq!(shop.text(STATE).await, "null");
    let refused = sqlx::raw_sql("SELECT hookfast.airalo_forget_order('shop-9', 'again')")
        .execute(&shop.pool)
        .await;
    assert_eq!(
        refused
            .expect_err("none")
            .into_database_error()
            .expect("ours")
            .code()
            .as_deref(),
        Some("HF004")
    );
    shop.end().await;
}

/// `airalo.*` takes it as any event of Airalo's.
#[tokio::test]
async fn a_shops_handler_is_told_that_an_order_is_overdue() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = told.clone();
    let handler = move |delivery: hookfast::domain::Delivery| {
        let heard = heard.clone();
        async move {
            heard
                .lock()
                .expect("whole")
                .push(delivery.event.event_type.to_string());
            hookfast::domain::Outcome::Delivered
        }
    };
    let shop = Shop::with(at_once(), Duration::from_millis(50), |builder| {
        builder.handler(
            Subscription::new("shop", &["airalo.order.*"]).expect("a name"),
            handler,
        )
    })
    .await;
    shop.execute(
        "SELECT hookfast.airalo_expect_order('nobody-knows-this-request', 'shop-9', interval '1 millisecond')",
    )
    .await;
    wait_until("the alerts", async || {
        told.lock()
            .expect("whole")
            .contains(&"airalo.order.overdue".to_owned())
    })
    .await;
    shop.end().await;
}

#[tokio::test]
async fn a_result_that_beats_the_applications_own_row_is_joined_when_that_comes() {
    let shop = Shop::start(at_once(), NEVER).await;
    let placed = shop
        .client
        .order_async(&shop.order("shop-1"))
        .await
        .expect("taken");
    shop.until("SELECT state FROM hookfast.airalo_orders", "completed")
        .await;
    let expect = format!(
        "SELECT hookfast.airalo_expect_order('{}', 'shop-1')",
        placed.request_id
    );
    assert_eq!(shop.text(&expect).await, "completed");
    assert_eq!(
        shop.text(&expect).await,
        "completed",
        "as often as one likes"
    );
    assert_eq!(
        shop.text("SELECT count(*) || ' ' || count(expected_by) FROM hookfast.airalo_orders")
            .await,
        "1 1"
    );
    // An open transaction that expects keeps no result waiting.
    let mut open = shop.pool.begin().await.expect("a transaction");
    let mut state = async |request: &str| {
        let expect =
            sqlx::query_scalar::<_, String>("SELECT hookfast.airalo_expect_order($1, 'shop-2')")
                .bind(request.to_owned());
        expect.fetch_one(&mut *open).await.expect("expected")
    };
    let second = shop
        .client
        .order_async(&shop.order("shop-2"))
        .await
        .expect("taken");
    assert!(["expected", "completed"].contains(&state(&second.request_id).await.as_str()));
    shop.until(
        "SELECT count(*) FROM hookfast.airalo_orders WHERE state = 'completed'",
        "2",
    )
    .await;
    assert_eq!(state(&second.request_id).await, "completed");
    drop(open);
    shop.end().await;
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_unknown_and_found_by_its_description() {
    for lost in [0.0, 1.0] {
        let faults = FaultPlan {
            broken_answer: 1.0,
            lost,
            ..at_once()
        };
        let shop = Shop::start(faults, Duration::from_millis(100)).await;
        let error = shop
            .place("shop-1", Duration::from_millis(300))
            .await
            .expect_err("no answer");
        assert!(
            matches!(error, PlaceError::Unknown(..))
                && error.to_string().contains("was not sent again"),
            "{error}"
        );
        // By the webhook, whose request nobody knew, or by the list.
        shop.until(STATE, "shop-1 completed").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(shop.text(STATE).await, "shop-1 completed");
        assert_eq!(
            shop.text("SELECT bool_or(possible_double_purchase) FROM hookfast.airalo_orders")
                .await,
            "false"
        );
        assert_eq!(
            shop.airalo.emulator.state()["requests"]
                .as_array()
                .expect("a list")
                .len(),
            1,
            "and ordered once"
        );
        shop.end().await;
    }
}

#[tokio::test]
async fn an_order_that_is_refused_is_not_awaited() {
    let shop = Shop::start(at_once(), NEVER).await;
    let order = NewOrder {
        package_id: "test-out-of-stock-7days-1gb".into(),
        ..shop.order("shop-1")
    };
    let refused = place_order(&shop.pool, &shop.client, "airalo", &order, NEVER)
        .await
        .expect_err("refused");
    assert!(matches!(refused, PlaceError::Refused(_)), "{refused}");
    assert_eq!(
        shop.text("SELECT count(*) FROM hookfast_data.airalo_expected")
            .await,
        "0"
    );
    shop.end().await;
}

/// The same order made twice, and none of its webhooks came.
#[tokio::test]
async fn two_orders_with_one_description_are_a_possible_double_purchase() {
    let shop = Shop::start(
        FaultPlan {
            lost: 1.0,
            ..at_once()
        },
        NEVER,
    )
    .await;
    shop.place("shop-1", NEVER).await.expect("taken");
    shop.client
        .order_async(&shop.order("shop-1"))
        .await
        .expect("taken, though it should not have been sent");
    wait_until("both", async || shop.airalo.emulator.is_quiet()).await;
    let findings = reconcile(&shop).await;
    assert!(
        matches!(&findings[0].found, Found::Results { orders, new: 2 } if orders.len() == 2),
        "{findings:?}"
    );
    shop.until(
        "SELECT string_agg(possible_double_purchase::text, ' ') FROM hookfast.airalo_orders",
        "true",
    )
    .await;
    assert_eq!(
        shop.text(
            "SELECT count(*) || ' ' || count(*) FILTER (WHERE conflict) FROM hookfast.airalo_sims"
        )
        .await,
        "2 1"
    );
    assert!(
        reconcile(&shop).await.is_empty(),
        "what is settled is not looked for again"
    );
    shop.end().await;
}

#[tokio::test]
async fn an_erasing_takes_the_sims_out_of_the_projection() {
    let shop = Shop::start(at_once(), NEVER).await;
    shop.place("shop-1", NEVER).await.expect("taken");
    shop.until("SELECT count(*) FROM hookfast.airalo_sims", "1")
        .await;
    shop.until("SELECT count(*) FROM hookfast_data.outbox", "0")
        .await;
    let erase = "SELECT changed FROM hookfast.erase_all(term => (SELECT iccid FROM hookfast.airalo_sims), why => 'asked', at_most => 1)";
    assert_eq!(shop.text(erase).await, "1");
    assert_eq!(
        shop.text("SELECT count(*) FROM hookfast.airalo_sims").await,
        "0"
    );
    assert_eq!(
        shop.text("SELECT count(*) FROM hookfast_data.airalo_orders WHERE description IS NOT NULL")
            .await,
        "0"
    );
    shop.end().await;
}

/// Less and less often, and after two weeks no more; it stays overdue.
#[tokio::test]
async fn what_is_not_found_is_looked_for_less_and_less_often_for_two_weeks() {
    let shop = Shop::start(at_once(), NEVER).await;
    shop.execute("SELECT hookfast.airalo_expect_order('a-request', 'shop-9')")
        .await;
    let look = "WITH due AS (UPDATE hookfast_data.airalo_expected SET check_at = now() RETURNING source_id) SELECT count(*) FROM due";
    let take = "SELECT count(*) FROM hookfast_data.airalo_claim_due_checks(ARRAY(SELECT id FROM hookfast_data.sources), 9)";
    let next = "SELECT round(extract(epoch FROM check_at - clock_timestamp()) / 60) FROM hookfast_data.airalo_expected";
    let looked = "SELECT hookfast_data.airalo_looked_for(id, interval '1 minute') FROM hookfast_data.airalo_expected";
    for minutes in ["1", "2", "4", "8"] {
        shop.execute(look).await;
        assert_eq!(shop.text(take).await, "1");
        assert_eq!(
            shop.text(next).await,
            "15",
            "whoever looks may end before it has looked"
        );
        shop.execute(looked).await;
        assert_eq!(shop.text(next).await, minutes);
        assert_eq!(shop.text(take).await, "0", "not before");
    }
    shop.execute("UPDATE hookfast_data.airalo_expected SET expected_by = now() - interval '15 days', check_at = now()")
        .await;
    assert_eq!(shop.text(take).await, "1");
    shop.execute(looked).await;
    assert_eq!(
        shop.text("SELECT check_at FROM hookfast_data.airalo_expected")
            .await,
        "infinity"
    );
    assert_eq!(shop.text(STATE).await, "shop-9 overdue");
    shop.end().await;
}

/// Two results of one description, which only afterwards somebody says he waited for.
#[tokio::test]
async fn doubles_are_found_where_the_application_says_late_what_it_expected() {
    let shop = Shop::start(at_once(), NEVER).await;
    let mut requests = Vec::new();
    for _ in 0..2 {
        requests.push(
            shop.client
                .order_async(&shop.order("shop-1"))
                .await
                .expect("taken")
                .request_id,
        );
    }
    shop.until(STATE, "shop-1 completed, shop-1 completed")
        .await;
    let double = "SELECT bool_or(possible_double_purchase) || ' ' || bool_and(possible_double_purchase) FROM hookfast.airalo_orders";
    assert_eq!(
        shop.text(double).await,
        "false false",
        "a description may be anything, until it is one to go by"
    );
    shop.execute(&format!(
        "SELECT hookfast.airalo_expect_order('{}', 'shop-1')",
        requests[0]
    ))
    .await;
    assert!(reconcile(&shop).await.is_empty(), "both are settled");
    assert_eq!(shop.text(double).await, "true true");
    shop.end().await;
}

/// What cannot be stored is not said to be known.
#[tokio::test]
async fn a_result_that_cannot_be_stored_is_looked_for_again() {
    let shop = Shop::start(
        FaultPlan {
            lost: 1.0,
            ..at_once()
        },
        NEVER,
    )
    .await;
    let request = shop.place("shop-1", NEVER).await.expect("taken");
    wait_until("the order", async || shop.airalo.emulator.is_quiet()).await;
    let mut holder = shop.pool.begin().await.expect("a transaction");
    let key = format!(
        "INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) \
         SELECT id, 'order:{request}:completed', gen_random_uuid() FROM hookfast_data.sources WHERE name = 'airalo'"
    );
    sqlx::raw_sql(AssertSqlSafe(key))
        .execute(&mut *holder)
        .await
        .expect("held");
    let findings = reconcile(&shop).await;
    assert!(
        matches!(&findings[0].found, Found::Nothing(why) if why.contains("cannot be stored")),
        "{findings:?}"
    );
    holder.rollback().await.expect("let go");
    assert!(matches!(
        &reconcile(&shop).await[0].found,
        Found::Results { new: 1, .. }
    ));
    shop.end().await;
}

#[tokio::test]
async fn a_description_is_no_other_orders() {
    let shop = Shop::start(at_once(), NEVER).await;
    let first = shop.place("shop-1", NEVER).await.expect("taken");
    shop.until(STATE, "shop-1 completed").await;
    let refused = shop
        .place("shop-1", NEVER)
        .await
        .expect_err("used")
        .to_string();
    assert!(
        refused.contains("'shop-1' was ordered at 2") && refused.contains(&first),
        "{refused}"
    );
    assert_eq!(
        shop.airalo.emulator.state()["requests"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
    shop.place_again("shop-1", NEVER)
        .await
        .expect("Airalo does not mind");
    let double = "SELECT count(*) || ' ' || bool_and(possible_double_purchase) || ' ' || min(cardinality(conflict_event_ids)) FROM hookfast.airalo_orders";
    shop.until(double, "2 true 1").await;
    shop.end().await;

    // While one is unknown, no second is sent.
    let faults = FaultPlan {
        broken_answer: 1.0,
        lost: 1.0,
        ..at_once()
    };
    let shop = Shop::start(faults, NEVER).await;
    assert!(matches!(
        shop.place("shop-1", NEVER).await,
        Err(PlaceError::Unknown(..))
    ));
    assert!(matches!(
        shop.place("shop-1", NEVER).await,
        Err(PlaceError::Used(..))
    ));
    let again = shop
        .place_again("shop-1", NEVER)
        .await
        .expect_err("it is unknown");
    assert!(
        matches!(again, PlaceError::NotSent(_)) && again.to_string().contains("is unknown still"),
        "{again}"
    );
    assert_eq!(
        shop.airalo.emulator.state()["requests"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
    shop.end().await;
}

/// At once, as the command does.
pub(super) async fn reconcile(shop: &Shop) -> Vec<hookfast::airalo::Finding> {
    let ids = source_ids(&shop.pool).await.expect("the sources");
    let account = Account {
        source: "airalo".parse().expect("a name"),
        client: shop.client.clone(),
        every: NEVER,
    };
    let database = shop.url.parse().expect("a URL");
    let reconciler = Reconciler::new(
        shop.pool.clone(),
        database,
        DatabaseClock::default(),
        &ids,
        vec![account],
        |_| {},
    );
    reconciler.look_now("airalo").await.expect("looked")
}

#[tokio::test]
async fn who_expects_wrongly_is_told_what_it_takes() {
    let shop = Shop::start(at_once(), NEVER).await;
    for (wrong, code) in [
        ("airalo_expect_order('', 'd')", "22023"),
        ("airalo_expect_order('r', NULL)", "22023"),
        ("airalo_expect_order('r', repeat('d', 201))", "22023"),
        ("airalo_expect_order('r', 'd', interval '-1 hour')", "22023"),
        ("airalo_expect_order('r', 'd', source => 'nobody')", "HF004"),
        ("airalo_forget_order('d', ' ')", "22023"),
    ] {
        let query = format!("SELECT hookfast.{wrong}");
        let refused = sqlx::raw_sql(AssertSqlSafe(query))
            .execute(&shop.pool)
            .await
            .expect_err(wrong);
        let refused = refused.into_database_error().expect("ours");
        assert_eq!(refused.code().as_deref(), Some(code), "{wrong}");
        assert!(
            refused.message().ends_with("nothing was changed"),
            "{refused}"
        );
    }
    shop.end().await;
}

/// Found in Airalo's list without its request, and then its webhook comes after all: the same order is one event.
#[tokio::test]
async fn an_unknown_order_that_is_found_and_then_told_is_one_event_and_one_delivery() {
    let deliveries = Arc::new(std::sync::Mutex::new(Vec::new()));
    let received = deliveries.clone();
    let handler = move |delivery: hookfast::domain::Delivery| {
        let received = received.clone();
        async move {
            received
                .lock()
                .expect("whole")
                .push(delivery.event.event_type.to_string());
            hookfast::domain::Outcome::Delivered
        }
    };
    let faults = FaultPlan {
        broken_answer: 1.0,
        lost: 1.0,
        ..at_once()
    };
    let shop = Shop::with(faults, Duration::from_millis(100), |builder| {
        builder.handler(
            Subscription::new("shop", &["airalo.order.*"]).expect("a name"),
            handler,
        )
    })
    .await;
    assert!(matches!(
        shop.place("shop-1", Duration::from_millis(300)).await,
        Err(PlaceError::Unknown(..))
    ));
    shop.until(STATE, "shop-1 completed").await;
    let books = shop.airalo.emulator.state();
    let request = books["requests"][0]["request_id"]
        .as_str()
        .expect("text")
        .to_owned();
    let order = shop
        .client
        .order(&books["orders"][0]["id"].to_string())
        .await
        .expect("listed");
    let webhook = |json: &str| {
        format!(r#"{{"meta":{{"message":"success"}},"request_id":"{request}","data":{json}}}"#)
    };
    for _ in 0..2 {
        let (status, answer) =
            crate::support::airalo::post(shop.ingress(), webhook(order.json.get()).as_bytes())
                .await;
        assert_eq!(
            (status, answer["status"].as_str()),
            (200, Some("duplicate")),
            "{answer}"
        );
    }
    // A second order of the request conflicts with the one that was found, and is the same request's.
    let second = r#"{"id":666,"description":"shop-1","sims":[{"iccid":"8966"}]}"#;
    let (status, answer) =
        crate::support::airalo::post(shop.ingress(), webhook(second).as_bytes()).await;
    assert_eq!(
        (status, answer["status"].as_str()),
        (200, Some("conflict")),
        "{answer}"
    );
    let orders = "SELECT string_agg(concat_ws(' ', request_id, state, possible_double_purchase), ', ') FROM hookfast.airalo_orders";
    shop.until(orders, &format!("{request} completed t")).await;
    shop.until("SELECT count(*) FROM hookfast_data.outbox", "0")
        .await;
    let each = "SELECT string_agg(DISTINCT n::text, ' ') FROM (SELECT count(*) AS n FROM hookfast.deliveries GROUP BY event_id, handler) d";
    assert_eq!(shop.text(each).await, "1");
    let types = deliveries.lock().expect("whole").clone();
    assert_eq!(
        types,
        ["airalo.order.completed", "airalo.order.completed.conflict"]
    );
    shop.end().await;
}

/// The application learned afterwards under which request Airalo took the order: it waits for nothing more.
#[tokio::test]
async fn an_order_that_was_found_before_its_request_was_known_settles_that_request() {
    let shop = Shop::start(
        FaultPlan {
            broken_answer: 1.0,
            lost: 1.0,
            ..at_once()
        },
        NEVER,
    )
    .await;
    assert!(matches!(
        shop.place("shop-1", NEVER).await,
        Err(PlaceError::Unknown(..))
    ));
    wait_until("the order", async || shop.airalo.emulator.is_quiet()).await;
    assert!(matches!(
        &reconcile(&shop).await[0].found,
        Found::Results { new: 1, .. }
    ));
    shop.until(STATE, "shop-1 completed").await;
    shop.execute("SELECT hookfast.airalo_expect_order('the-request', 'shop-1')")
        .await;
    let findings = reconcile(&shop).await;
    assert!(
        matches!(&findings[..], [one] if matches!(one.found, Found::Results { new: 0, .. })),
        "{findings:?}"
    );
    assert_eq!(
        shop.text(
            "SELECT string_agg(request_id || ' ' || state, ', ') FROM hookfast.airalo_orders"
        )
        .await,
        "the-request completed"
    );
    assert!(
        reconcile(&shop).await.is_empty(),
        "what is settled is not looked for again"
    );
    shop.end().await;
}
