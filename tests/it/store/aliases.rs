//! An event with two keys is one event, whichever of them is used first.

use super::{Store, verdict, verdicts};
use crate::support::wait_until;
use hookfast::internals::domain::IdempotencyKey;
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::store::{NewEvent, Role};
use std::{sync::Arc, time::Duration};
use tokio::sync::Barrier;

/// Every key with the position of its event among all events, in the order of storage.
const KEYS: &str = "SELECT string_agg(k.key || '=' || coalesce(e.place::text, 'nothing'), ' ' ORDER BY k.key) \
    FROM hookfast_data.idempotency_keys k \
    LEFT JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM hookfast_data.events) e ON e.id = k.event_id";
const EVENTS: &str = "SELECT count(*) FROM hookfast.events";
const PENDING: &str = "SELECT count(*) FROM hookfast_data.outbox";
/// Keys that refer to no event.
const LOOSE: &str = "SELECT count(*) FROM hookfast_data.idempotency_keys k \
    WHERE NOT EXISTS (SELECT FROM hookfast_data.events e WHERE e.id = k.event_id)";

impl Store {
    fn linked(&self, key: &str, alias: &str, fingerprint: Option<&str>) -> NewEvent {
        NewEvent {
            alias: Some(IdempotencyKey::new(alias)),
            ..self.event(key, fingerprint)
        }
    }
}

#[tokio::test]
async fn an_event_is_known_by_either_key_whichever_was_first() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    // By its alias alone, as reconciliation finds it; then by both; then by the key alone.
    let first = ingest
        .ingest(&[store.event("id:1", Some("a"))], Webhook)
        .await[0]
        .expect("stored");
    for later in [
        store.linked("r1", "id:1", Some("a")),
        store.event("r1", Some("a")),
    ] {
        let answers = ingest.ingest(&[later], Webhook).await;
        assert_eq!(verdicts(&answers), ["duplicate"]);
        assert_eq!(answers[0].expect("answered").event_id, first.event_id);
    }
    // And in the opposite order.
    assert_eq!(
        verdicts(
            &ingest
                .ingest(&[store.linked("r2", "id:2", Some("b"))], Webhook)
                .await
        ),
        ["stored"]
    );
    for later in [
        store.event("id:2", Some("b")),
        store.event("r2", Some("b")),
        store.linked("r2", "id:2", None),
    ] {
        assert_eq!(
            verdicts(&ingest.ingest(&[later], Webhook).await),
            ["duplicate"]
        );
    }
    assert_eq!(store.text(KEYS).await, "id:1=1 id:2=2 r1=1 r2=2");
    assert_eq!(
        (store.count(EVENTS).await, store.count(PENDING).await),
        (2, 2)
    );
}

#[tokio::test]
async fn in_one_batch_too_both_keys_are_one_event() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    let group = [
        store.event("id:1", Some("a")),
        store.linked("r1", "id:1", Some("a")),
        store.event("other", None),
        store.linked("r2", "id:2", Some("b")),
        store.linked("r2", "id:2", Some("b")),
        store.event("id:2", Some("b")),
    ];
    let answers = ingest.ingest(&group, Webhook).await;
    assert_eq!(
        verdicts(&answers),
        [
            "stored",
            "duplicate",
            "stored",
            "stored",
            "duplicate",
            "duplicate"
        ]
    );
    let ids: Vec<_> = answers
        .iter()
        .map(|answer| answer.expect("answered").event_id)
        .collect();
    assert_eq!((ids[1], ids[4], ids[5]), (ids[0], ids[3], ids[3]));
    assert_eq!(
        (
            store.count(EVENTS).await,
            store.count(PENDING).await,
            store.count(LOOSE).await
        ),
        (3, 3, 0)
    );
}

#[tokio::test]
async fn a_conflict_has_an_alias_of_its_own() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    for (round, expected) in [["stored", "conflict", "conflict"], ["duplicate"; 3]]
        .iter()
        .enumerate()
    {
        let group = [
            store.linked("r", "id:1", Some("a")),
            // The same request, another order; and the first order with another content.
            store.linked("r", "id:2", Some("b")),
            store.linked("s", "id:1", Some("c")),
        ];
        assert_eq!(
            verdicts(&ingest.ingest(&group, Webhook).await),
            expected,
            "round {round}"
        );
        for (alone, fingerprint) in [
            ("id:1", "a"),
            ("id:2", "b"),
            ("id:1", "c"),
            ("r", "b"),
            ("s", "c"),
        ] {
            let again = ingest
                .ingest(&[store.event(alone, Some(fingerprint))], Webhook)
                .await;
            assert_eq!(verdicts(&again), ["duplicate"], "{alone} {fingerprint}");
        }
    }
    assert_eq!(
        store.text(KEYS).await,
        "id:1=1 id:1#conflict:c=3 id:2=2 r=1 r#conflict:b=2 s=3"
    );
    let conflicts = "SELECT string_agg(c.idempotency_key || ' ' || c.type || ' ' || f.idempotency_key, ', ' ORDER BY c.event_id) \
        FROM hookfast.events c JOIN hookfast.events f ON f.event_id = c.conflicts_with";
    assert_eq!(
        store.text(conflicts).await,
        "r#conflict:b airalo.order.completed.conflict r, id:1#conflict:c airalo.order.completed.conflict r"
    );
}

/// Its own keys, and the keys it conflicts by, whichever of them the first event has.
#[tokio::test]
async fn a_conflict_is_found_by_every_key_it_has_to_do_with() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    let group = [
        store.linked("r", "id:1", Some("a")),
        store.linked("s", "id:1", Some("c")),
    ];
    assert_eq!(
        verdicts(&ingest.ingest(&group, Webhook).await),
        ["stored", "conflict"]
    );
    let found = async |term: &str| -> String {
        let types = "SELECT string_agg(e.type, ' ' ORDER BY e.event_id) FROM hookfast.find($1) f JOIN hookfast.events e USING (event_id)";
        sqlx::query_scalar(types)
            .bind(term.to_owned())
            .fetch_one(&store.pool)
            .await
            .expect("found")
    };
    let both = "airalo.order.completed airalo.order.completed.conflict";
    let first = store
        .text("SELECT event_id::text FROM hookfast.events WHERE conflicts_with IS NULL")
        .await;
    for (term, types) in [
        ("r", both),
        ("id:1", both),
        (&first, both),
        ("id:1#conflict:c", "airalo.order.completed.conflict"),
    ] {
        assert_eq!(found(term).await, types, "{term}");
    }
    assert_eq!(found("s").await, "airalo.order.completed.conflict");
    let kinds = "SELECT string_agg(kind, ' ') FROM hookfast.timeline('id:1') WHERE kind IN ('received', 'conflict')";
    assert_eq!(store.text(kinds).await, "received conflict");
}

/// The second order of a request was found by its id before its webhook arrived: it is already
/// stored.
#[tokio::test]
async fn an_event_known_by_its_alias_is_no_conflict_of_its_key() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    let found = [
        store.event("id:1", Some("a")),
        store.event("id:2", Some("b")),
    ];
    assert_eq!(
        verdicts(&ingest.ingest(&found, Webhook).await),
        ["stored", "stored"]
    );
    let webhooks = [
        store.linked("r", "id:1", Some("a")),
        store.linked("r", "id:2", Some("b")),
    ];
    assert_eq!(
        verdicts(&ingest.ingest(&webhooks, Webhook).await),
        ["duplicate", "duplicate"]
    );
    assert_eq!(store.text(KEYS).await, "id:1=1 id:2=2 r=1 r#conflict:b=2");
}

#[tokio::test]
async fn expired_keys_are_reused_together() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    let windowed = |fingerprint| NewEvent {
        window: Some(Duration::from_secs(3600)),
        ..store.linked("r", "id:1", Some(fingerprint))
    };
    assert_eq!(
        verdicts(&ingest.ingest(&[windowed("a")], Webhook).await),
        ["stored"]
    );
    store
        .execute("UPDATE hookfast_data.idempotency_keys SET expires_at = now() - interval '1 s'")
        .await;
    assert_eq!(
        verdicts(&ingest.ingest(&[windowed("b")], Webhook).await),
        ["stored"]
    );
    assert_eq!(store.text(KEYS).await, "id:1=2 r=2");
    // Only one of them has expired: the other still identifies the event.
    store
        .execute("UPDATE hookfast_data.idempotency_keys SET expires_at = now() - interval '1 s' WHERE key = 'r'")
        .await;
    assert_eq!(
        verdicts(&ingest.ingest(&[windowed("b")], Webhook).await),
        ["duplicate"]
    );
    assert_eq!(store.text(KEYS).await, "id:1=2 r=2");
    let valid = "SELECT count(*) FROM hookfast_data.idempotency_keys WHERE expires_at > now() + interval '50 minutes'";
    assert_eq!(store.count(valid).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn reconciliation_and_webhook_at_once_make_one_event() {
    let store = Arc::new(Store::new().await);
    let barrier = Arc::new(Barrier::new(3));
    let racer = |make: fn(&Store, usize) -> NewEvent| {
        let (store, barrier) = (store.clone(), barrier.clone());
        tokio::spawn(async move {
            let mut ingest = store.connection(Role::Ingest).await;
            let mut answers = Vec::new();
            for round in 0..500 {
                let event = make(&store, round);
                barrier.wait().await;
                answers.push(verdict(&ingest.ingest(&[event], Webhook).await[0]));
            }
            answers
        })
    };
    // Of the two names of one order, sometimes one and sometimes the other sorts first.
    let found = racer(|store, i| store.event(&format!("id:{i}"), Some("a")));
    let both = racer(|store, i| {
        store.linked(
            &format!("{}:{i}", if i % 2 == 0 { "a" } else { "z" }),
            &format!("id:{i}"),
            Some("a"),
        )
    });
    let again = racer(|store, i| {
        store.event(
            &format!("{}:{i}", if i % 2 == 0 { "a" } else { "z" }),
            Some("a"),
        )
    });
    let (found, both, again) = (
        found.await.expect("ended"),
        both.await.expect("ended"),
        again.await.expect("ended"),
    );
    for round in 0..500 {
        let three = [found[round], both[round], again[round]];
        assert!(
            three
                .iter()
                .all(|verdict| ["stored", "duplicate"].contains(verdict)),
            "round {round}: {three:?}"
        );
        // The key alone and the alias alone are not connected: two events if both arrive before the
        // one with both.
        let stored = three.iter().filter(|verdict| **verdict == "stored").count();
        assert!(
            stored == 1 || stored == 2 && both[round] == "duplicate",
            "round {round}: {three:?}"
        );
    }
    assert!(
        found.contains(&"stored") && both.contains(&"stored"),
        "each was first at times"
    );
    assert_eq!(store.count(LOOSE).await, 0);
    assert_eq!(store.count(EVENTS).await, store.count(PENDING).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_with_two_keys_in_any_order_lose_no_request() {
    let store = Arc::new(Store::new().await);
    // Sooner than the lock timeout, which would hide a deadlock.
    store
        .execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 20', current_database()); END $$")
        .await;
    let barrier = Arc::new(Barrier::new(4));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4usize {
        let (store, barrier) = (store.clone(), barrier.clone());
        writers.spawn(async move {
            let mut ingest = store.connection(Role::Ingest).await;
            for round in 0..10usize {
                // Two results of each request, with their own orders, and the first ones also by
                // their order alone.
                let mut group: Vec<_> = (0..40usize)
                    .map(|i| {
                        let (order, result) = ((i * 7 + writer * 13) % 40, writer % 2);
                        let (key, alias) = (
                            format!("{round}-{order}"),
                            format!("id:{round}-{order}-{result}"),
                        );
                        match i % 3 {
                            0 => store.event(&alias, Some(&alias)),
                            _ => store.linked(&key, &alias, Some(&alias)),
                        }
                    })
                    .collect();
                if writer % 2 == 0 {
                    group.reverse();
                }
                barrier.wait().await;
                let answers = ingest.ingest(&group, Webhook).await;
                assert!(answers.iter().all(Result::is_ok), "{answers:?}");
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.expect("every request of every group was answered");
    }
    assert_eq!(store.count(LOOSE).await, 0);
    assert_eq!(store.count(EVENTS).await, 800, "each result once");
    assert_eq!(store.count(PENDING).await, 800);
    // A server process reports its deadlocks by its end.
    wait_until("the connections of the writers to end", async || {
        store.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hookfast ingest'").await == 0
    })
    .await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(
        store.count(deadlocks).await,
        0,
        "every writer takes the keys in the same order"
    );
}
