//! A retirement and a process that has the handler: in either order, the configuration of a live
//! process wins.

use super::{Store, registration, verdicts};
use crate::support::wait_until;
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::store::{
    Process, Role, ServedHandler, discard_retired, register_handlers, unconfigured_handlers,
};

const RETIRE: &str = "SELECT hookfast.retire_handler('shop', 'renamed', at_most => 100)";
const RETIRED: &str =
    "SELECT count(*) FROM hookfast_data.handlers WHERE name = 'shop' AND retired_at IS NOT NULL";
const PENDING: &str = "SELECT count(*) FROM hookfast_data.outbox";
const LOGGED: &str = "SELECT string_agg(action || ' ' || (details->>'why'), ', ' ORDER BY id) FROM hookfast_data.audit_log WHERE details ? 'why'";

fn process() -> Process {
    Process {
        owner: "host:1".to_owned(),
        roles: vec!["worker"],
        handlers: vec![ServedHandler {
            name: "shop".to_owned(),
            slots: Some(16),
        }],
        sources: Vec::new(),
    }
}

#[tokio::test]
async fn a_configuration_that_has_it_ends_the_retirement_whatever_its_version() {
    let store = Store::new().await;
    register_handlers(&store.pool, &[registration("shop", &["*"])], 7)
        .await
        .expect("registered");
    let mut ingest = store.connection(Role::Ingest).await;
    store.execute(RETIRE).await;
    assert_eq!(
        verdicts(&ingest.ingest(&[store.event("a", None)], Webhook).await),
        ["stored"]
    );
    assert_eq!(store.count(PENDING).await, 0);
    let version = store
        .count("SELECT version::bigint FROM hookfast_data.subscription_version")
        .await;
    for (config_version, retired) in [(6, 0), (6, 0)] {
        register_handlers(&store.pool, &[registration("shop", &["*"])], config_version)
            .await
            .expect("registered");
        assert_eq!(store.count(RETIRED).await, retired);
    }
    assert_eq!(
        store
            .count("SELECT version::bigint FROM hookfast_data.subscription_version")
            .await,
        version + 1,
        "once"
    );
    assert_eq!(
        store.text(LOGGED).await,
        "handler.retired renamed, handler.unretired renamed"
    );
    assert_eq!(
        verdicts(&ingest.ingest(&[store.event("b", None)], Webhook).await),
        ["stored"]
    );
    assert_eq!(
        store.count(PENDING).await,
        1,
        "it gets new events from now on"
    );
    let explained = "SELECT string_agg(x.verdict, ' ' ORDER BY e.event_id) FROM hookfast.events e, hookfast.explain(e.event_id) x";
    assert_eq!(store.text(explained).await, "subscribed later pending");
}

/// It has read that its handler is registered, and writes nothing.
#[tokio::test]
async fn a_process_that_starts_while_its_handler_is_retired_subscribes_it_again() {
    let store = Store::new().await;
    let mut retiring = store.pool.begin().await.expect("a transaction");
    sqlx::query(RETIRE)
        .execute(&mut *retiring)
        .await
        .expect("retired");
    register_handlers(&store.pool, &[registration("shop", &["*"])], 0)
        .await
        .expect("it is not blocked");
    assert!(
        process()
            .is_alive(&store.pool, None)
            .await
            .expect("alive")
            .is_empty()
    );
    retiring.commit().await.expect("committed");
    assert_eq!(store.count(RETIRED).await, 1);
    assert_eq!(
        process().is_alive(&store.pool, None).await.expect("alive"),
        ["shop"]
    );
    assert_eq!(store.count(RETIRED).await, 0);
    assert_eq!(
        store.text(LOGGED).await,
        "handler.retired renamed, handler.unretired renamed"
    );
    assert!(
        process()
            .is_alive(&store.pool, None)
            .await
            .expect("alive")
            .is_empty(),
        "once"
    );
    let refused = sqlx::query(RETIRE)
        .execute(&store.pool)
        .await
        .expect_err("it lives");
    assert!(
        refused.to_string().contains("the process host:1 has it"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_waits_for_the_retirement_and_ends_it() {
    let store = Store::new().await;
    let mut retiring = store.pool.begin().await.expect("a transaction");
    sqlx::query(RETIRE)
        .execute(&mut *retiring)
        .await
        .expect("retired");
    let pool = store.pool.clone();
    let registering = tokio::spawn(async move {
        register_handlers(&pool, &[registration("shop", &["a.*"])], 0).await
    });
    wait_until("a registration that waits", async || {
        store
            .count(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .await
            == 1
    })
    .await;
    retiring.commit().await.expect("committed");
    registering.await.expect("no panic").expect("registered");
    assert_eq!(store.count(RETIRED).await, 0);
    assert_eq!(
        store
            .text("SELECT array_to_string(types, ' ') FROM hookfast_data.handlers")
            .await,
        "a.*"
    );
}

/// A transaction that routed its event before the retirement was committed.
#[tokio::test]
async fn a_delivery_committed_just_after_retirement_is_shown_then_discarded() {
    let store = Store::new().await;
    store
        .execute("INSERT INTO hookfast_data.sources (name, kind) VALUES ('orders', 'sql')")
        .await;
    let mut storing = store.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT hookfast.enqueue('orders', 'shop.paid', '{}')")
        .execute(&mut *storing)
        .await
        .expect("enqueued");
    store.execute(RETIRE).await;
    storing.commit().await.expect("committed");
    let state = "SELECT state FROM hookfast.deliveries";
    assert_eq!(store.text(state).await, "retired");
    let explained = "SELECT x.message FROM hookfast.events e, hookfast.explain(e.event_id) x";
    assert!(
        store
            .text(explained)
            .await
            .ends_with("so the delivery is not run; it will be discarded")
    );
    assert_eq!(
        discard_retired(&store.pool, 100).await.expect("discarded"),
        1
    );
    assert_eq!(store.text(state).await, "discarded");
}

#[tokio::test]
async fn handlers_that_no_live_process_and_no_configuration_has_are_named() {
    let store = Store::new().await;
    let (shop, other) = (registration("shop", &["*"]), registration("other", &["*"]));
    register_handlers(&store.pool, std::slice::from_ref(&other), 0)
        .await
        .expect("registered");
    let named = async |configured: &[&str]| {
        let configured: Vec<_> = configured
            .iter()
            .map(|name| name.parse().expect("a name"))
            .collect();
        unconfigured_handlers(&store.pool, &configured)
            .await
            .expect("a list")
            .join(" ")
    };
    assert_eq!(named(&[]).await, "other shop");
    assert_eq!(named(&[shop.name.as_str()]).await, "other");
    process().is_alive(&store.pool, None).await.expect("alive");
    assert_eq!(
        named(&[]).await,
        "other",
        "a process of another configuration has it"
    );
    process().has_ended(&store.pool).await.expect("ended");
    store.lease().await;
    assert_eq!(named(&[]).await, "other", "a worker serves it");
    store.execute("DELETE FROM hookfast_data.leases").await;
    store.execute(RETIRE).await;
    assert_eq!(named(&[]).await, "other", "the decision is final");
}
