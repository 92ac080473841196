//! The deliveries that a claim takes, their order, and the data it returns.

use super::{Store, registration, settlement};
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::domain::{OnDeadLetter, Order};
use hookfast::internals::store::{
    Batch, Claim, ClaimLimits, HandlerRegistration, KeySweep, LeaseId, LongBody, NewEvent, Role,
    SettleOutcome, Settled, Watermarks, event_body, pause_gone_handler, register_handlers,
};
use std::time::{Duration, Instant};

impl Store {
    async fn claim_kinds(&self, lease: LeaseId, fresh: usize, due: usize) -> Batch {
        let mut connection = self.connection(Role::Claim).await;
        let mut watermarks = Watermarks::new(Instant::now());
        let limits = ClaimLimits { fresh, due };
        connection
            .claim(
                (self.handler, &self.name),
                lease,
                limits,
                &mut watermarks,
                None,
            )
            .await
            .expect("a claim")
    }

    /// The state of the only delivery as readers see it.
    async fn state(&self) -> String {
        self.text("SELECT state FROM hookfast.deliveries").await
    }
}

fn ids(batch: &Batch) -> Vec<i64> {
    let mut ids: Vec<_> = batch
        .claimed
        .iter()
        .map(|claimed| claimed.claim.delivery.0)
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn fresh_and_due_are_claimed_oldest_first_and_neither_starves() {
    let store = Store::new().await;
    store.fill("o", 10).await;
    store
        .execute("UPDATE hookfast_data.outbox SET due_at = clock_timestamp() - id * interval '1 s' WHERE id % 2 = 0")
        .await;
    let lease = store.lease().await;
    let batch = store.claim_kinds(lease, 2, 2).await;
    assert_eq!(
        ids(&batch),
        [1, 3, 8, 10],
        "fresh ones by id, due ones by due time"
    );
    assert!(batch.more);
    assert_eq!(ids(&store.claim_kinds(lease, 0, 1).await), [6]);
    assert_eq!(ids(&store.claim_kinds(lease, 1, 0).await), [5]);
    let rest = store.claim_kinds(lease, 10, 10).await;
    assert_eq!(ids(&rest), [2, 4, 7, 9]);
    assert!(!rest.more);
    assert!(
        store.claim_kinds(lease, 10, 10).await.claimed.is_empty(),
        "nothing is claimed twice"
    );
}

#[tokio::test]
async fn deliveries_that_are_not_due_or_of_another_handler_are_not_claimed() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    store.execute("UPDATE hookfast_data.outbox SET due_at = 'infinity' WHERE id = 1; UPDATE hookfast_data.outbox SET handler_id = 99 WHERE id = 2").await;
    let lease = store.lease().await;
    assert!(store.claim_kinds(lease, 10, 10).await.claimed.is_empty());
    store.execute("UPDATE hookfast_data.outbox SET due_at = clock_timestamp() + interval '1 h' WHERE id = 1").await;
    assert!(store.claim_kinds(lease, 10, 10).await.claimed.is_empty());
}

#[tokio::test]
async fn a_paused_handler_keeps_its_deliveries_pending() {
    let store = Store::new().await;
    store.fill("before", 1).await;
    pause_gone_handler(&store.pool, &store.name, "it is gone", Some(410))
        .await
        .expect("paused");
    let lease = store.lease().await;
    assert!(store.claim_kinds(lease, 10, 10).await.claimed.is_empty());
    assert_eq!(store.state().await, "paused");
    store.fill("meanwhile", 1).await;
    store
        .execute("SELECT hookfast.resume_handler('shop', why => 'a test')")
        .await;
    assert_eq!(
        store.claim_kinds(lease, 10, 10).await.claimed.len(),
        2,
        "intake continued"
    );
}

#[tokio::test]
async fn the_view_shows_the_state_that_workers_act_on() {
    let store = Store::new().await;
    store.fill("o", 1).await;
    let lease = store.lease().await;
    assert_eq!(store.state().await, "ready");
    let claim = async || store.claim_all(lease, 1).await[0];
    let first = claim().await;
    assert_eq!(store.state().await, "running");
    store
        .settle(first, SettleOutcome::Retry(Duration::from_secs(60)))
        .await;
    assert_eq!(store.state().await, "retrying");
    store
        .execute("UPDATE hookfast_data.outbox SET due_at = clock_timestamp()")
        .await;
    assert_eq!(store.state().await, "ready");
    assert_eq!(
        store.settle(claim().await, SettleOutcome::Rejected).await,
        Settled::Dead
    );
    assert_eq!(
        store.text("SELECT concat_ws(' ', state, attempts, ended_at IS NOT NULL) FROM hookfast.deliveries").await,
        "dead 2 t"
    );
    assert_eq!(
        store
            .text("SELECT concat_ws(' ', reason, attempts, last_error) FROM hookfast.dead_letters")
            .await,
        "rejected 2 why"
    );
    let history = "SELECT string_agg(concat_ws(' ', attempt_number, handler, outcome, error), ', ' ORDER BY attempt_number) FROM hookfast.attempts";
    assert_eq!(
        store.text(history).await,
        "1 shop retry why, 2 shop dead why"
    );
}

#[tokio::test]
async fn a_claim_returns_the_event_and_a_long_body_is_fetched_separately() {
    let store = Store::new().await;
    let (mut short, mut long) = (store.event("short", None), store.event("long", Some("b")));
    short.headers = r#"{"x-a": "1"}"#.to_owned();
    long.body = vec![b'x'; 20_000].into();
    let mut ingest = store.connection(Role::Ingest).await;
    assert!(
        ingest
            .ingest(
                &[short.clone(), long.clone(), store.event("long", Some("c"))],
                Webhook
            )
            .await
            .iter()
            .all(Result::is_ok)
    );
    let batch = store.claim_kinds(store.lease().await, 10, 10).await;
    let of = |id| {
        batch
            .claimed
            .iter()
            .find(|claimed| claimed.event_id == id)
            .expect("claimed")
    };
    let event = &of(short.id).delivery.as_ref().expect("it is there").event;
    assert_eq!(
        (event.body.as_ref(), &event.headers["x-a"]),
        (&short.body[..], &"1".into())
    );
    assert_eq!(
        (event.source.as_str(), event.event_type.as_str()),
        ("airalo", "airalo.order.completed")
    );
    let age = event.received_at.elapsed().unwrap_or_default();
    assert!(age < Duration::from_secs(60), "{age:?}");
    let claimed = of(long.id);
    assert!(
        claimed.long_body.is_some()
            && claimed
                .delivery
                .as_ref()
                .expect("it is there")
                .event
                .body
                .is_empty()
    );
    assert_eq!(
        event_body(&store.pool, long.id, None)
            .await
            .expect("fetched"),
        LongBody::Passes(long.body)
    );
    let conflict = batch.claimed.iter().find_map(|c| {
        c.delivery
            .as_ref()
            .filter(|d| d.event.conflicts_with.is_some())
    });
    assert_eq!(
        conflict.expect("claimed").event.conflicts_with,
        Some(long.id)
    );
}

/// Large bodies are fetched separately: all of them in one statement could exceed its timeout,
/// again and again.
#[tokio::test]
async fn large_bodies_get_their_ordering_keys_in_parts() {
    let store = Store::new().await;
    let order = Order {
        by: "/key".parse().expect("a path"),
        on_dead: OnDeadLetter::Skip,
    };
    let ordered = HandlerRegistration {
        order: Some(order),
        ..registration("ordered", &["*"])
    };
    let name = ordered.name.clone();
    let handler = register_handlers(&store.pool, &[ordered], 0)
        .await
        .expect("registered")[&name];
    let events: Vec<_> = (0..6)
        .map(|n| {
            let body = format!(r#"{{"key": "a", "x": "{}"}}"#, "x".repeat(1 << 20)).into();
            NewEvent {
                body,
                ..store.event(&format!("large-{n}"), None)
            }
        })
        .collect();
    assert!(
        store
            .connection(Role::Ingest)
            .await
            .ingest(&events, Webhook)
            .await
            .iter()
            .all(Result::is_ok)
    );
    let mut connection = store.connection(Role::Claim).await;
    let with_key = "SELECT count(*) FROM hookfast_data.outbox WHERE ordering_key <> ''";
    let mut parts = Vec::new();
    while connection.sequence(handler).await.expect("a batch") {
        parts.push(store.count(with_key).await);
    }
    assert_eq!(parts, [4, 6]);
    let due = "SELECT string_agg((due_at < 'infinity')::text, ' ' ORDER BY id) FROM hookfast_data.outbox WHERE ordering_key = 'a'";
    assert_eq!(store.text(due).await, "true false false false false false");
}

#[tokio::test]
async fn a_missing_event_makes_its_delivery_a_dead_letter() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    store
        .execute("DELETE FROM hookfast_data.events WHERE idempotency_key = 'o-000000'")
        .await;
    let batch = store.claim_kinds(store.lease().await, 10, 10).await;
    let (there, gone): (Vec<_>, Vec<_>) = batch
        .claimed
        .iter()
        .partition(|claimed| claimed.delivery.is_some());
    assert_eq!((there.len(), gone.len()), (1, 1));
    assert_eq!(
        event_body(&store.pool, gone[0].event_id, None)
            .await
            .expect("an answer"),
        LongBody::EventMissing
    );
    assert_eq!(
        store
            .settle(gone[0].claim, SettleOutcome::EventMissing)
            .await,
        Settled::Dead
    );
    assert_eq!(
        store.text("SELECT reason FROM hookfast.dead_letters").await,
        "event_missing"
    );
    assert_eq!(
        store.count("SELECT count(*) FROM hookfast.attempts").await,
        0,
        "there was none"
    );
}

/// The longest type a source may give, and the type that the store makes of it in a conflict.
#[tokio::test]
async fn the_longest_type_can_be_read_again_also_that_of_its_conflict() {
    let store = Store::new().await;
    let group = ["a", "b"].map(|fingerprint| {
        let mut event = store.event("k", Some(fingerprint));
        event.event_type = "t".repeat(200).parse().expect("a type");
        event
    });
    assert!(
        store
            .connection(Role::Ingest)
            .await
            .ingest(&group, Webhook)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(
        store
            .claim_kinds(store.lease().await, 10, 10)
            .await
            .claimed
            .len(),
        2
    );
}

#[tokio::test]
async fn a_delay_of_any_length_can_be_stored() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    let lease = store.lease().await;
    let claims: Vec<Claim> = store.claim_all(lease, 10).await;
    let outcomes = [
        settlement(claims[0], SettleOutcome::Retry(Duration::MAX)),
        settlement(claims[1], SettleOutcome::Release(Duration::MAX)),
    ];
    assert_eq!(
        store.connection(Role::Settle).await.settle(&outcomes).await,
        [Settled::Done; 2]
    );
    let mut event = store.event("forever", None);
    event.window = Some(Duration::MAX);
    assert!(
        store
            .connection(Role::Ingest)
            .await
            .ingest(&[event], Webhook)
            .await[0]
            .is_ok()
    );
    assert_eq!(
        store.count("SELECT count(*) FROM hookfast_data.outbox WHERE due_at > now() + interval '50 years'").await,
        2
    );
}

/// In a rolling deployment the process of the previous release claims in no order. It does not get
/// deliveries that were ordered since.
#[tokio::test]
async fn an_unordered_claim_does_not_claim_parked_deliveries() {
    let store = Store::new().await;
    store.fill("before", 2).await;
    store
        .execute("UPDATE hookfast_data.handlers SET ordered_by = '{k}'")
        .await;
    store.fill("after", 3).await;
    let claims = store.claim_all(store.lease().await, 10).await;
    assert_eq!(claims.len(), 2, "the earlier ones");
    let waiting =
        "SELECT count(*) FROM hookfast_data.outbox WHERE ordering_key = '' AND lease_id IS NULL";
    assert_eq!(store.count(waiting).await, 3);
}

#[tokio::test]
async fn parked_deliveries_are_due_once_their_handler_is_not_ordered_any_more() {
    let store = Store::new().await;
    store
        .execute("UPDATE hookfast_data.handlers SET ordered_by = '{k}'")
        .await;
    store.fill("o", 3).await;
    store.execute("UPDATE hookfast_data.outbox SET ordering_key = 'k', due_at = 'infinity' WHERE id % 2 = 0").await;
    store
        .execute("UPDATE hookfast_data.handlers SET ordered_by = NULL")
        .await;
    assert!(store.claim_all(store.lease().await, 10).await.is_empty());
    let (changed, more) = KeySweep::new(store.handler)
        .step(&store.pool)
        .await
        .expect("a step");
    assert_eq!((changed, more), (3, false));
    assert_eq!(store.claim_all(store.lease().await, 10).await.len(), 3);
}
