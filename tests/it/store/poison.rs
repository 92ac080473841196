//! A row that the database rejects does not affect the others.

use super::{Store, verdicts};
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::domain::{EventId, StorableText};
use hookfast::internals::store::{Claim, Role, SettleOutcome, Settled, Settlement};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_request_that_cannot_be_stored_among_two_hundred() {
    let store = Store::new().await;
    let mut ingest = store.connection(Role::Ingest).await;
    for at in [0, 77, 199] {
        let mut group: Vec<_> = (0..200)
            .map(|i| store.event(&format!("{at}-{i}"), None))
            .collect();
        // Its day has no partition.
        group[at].id = EventId(uuid::Uuid::from_u128(0x7000_8000_0000_0000_0000));
        let answers = ingest.ingest(&group, Webhook).await;
        assert_eq!(
            verdicts(&answers)
                .iter()
                .filter(|v| **v == "stored")
                .count(),
            199
        );
        assert_eq!(verdicts(&answers)[at], "refused");
    }
    assert_eq!(
        store.count("SELECT count(*) FROM hookfast.events").await,
        3 * 199
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.idempotency_keys")
            .await,
        3 * 199,
        "it uses no key"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_key_costs_only_its_own_request() {
    let store = Store::new().await;
    let mut holder = store.pool.begin().await.expect("a transaction");
    sqlx::query(
        "INSERT INTO hookfast_data.idempotency_keys VALUES ($1, 'held', gen_random_uuid())",
    )
    .bind(store.source.0)
    .execute(&mut *holder)
    .await
    .expect("a key");
    let mut ingest = store.connection(Role::Ingest).await;
    let mut group: Vec<_> = (0..200)
        .map(|i| store.event(&format!("free-{i}"), None))
        .collect();
    group.insert(120, store.event("held", None));
    let started = Instant::now();
    let answers = ingest.ingest(&group, Webhook).await;
    // One full timeout, and short ones for the halves; without the latter it would be eight full
    // ones.
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(verdicts(&answers)[120], "key held");
    assert_eq!(
        verdicts(&answers)
            .iter()
            .filter(|v| **v == "stored")
            .count(),
        200
    );
    holder.rollback().await.expect("released");
    assert_eq!(
        verdicts(&ingest.ingest(&[store.event("held", None)], Webhook).await),
        ["stored"],
        "its repetition is stored"
    );
}

#[tokio::test]
async fn an_outcome_that_cannot_be_stored_among_two_hundred() {
    let store = Store::new().await;
    store.fill("o", 200).await;
    // A delivery whose event is of a day without a partition: its attempt cannot be stored.
    store.execute("INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left) SELECT id, '00000000-0000-7000-8000-000000000000', 3 FROM hookfast_data.handlers").await;
    let lease = store.lease().await;
    let claims = store.claim_all(lease, 500).await;
    assert_eq!(claims.len(), 201);
    let outcomes: Vec<_> = claims.iter().map(|&claim| retry(claim)).collect();
    let settled = store.connection(Role::Settle).await.settle(&outcomes).await;
    assert_eq!(settled.iter().filter(|s| **s == Settled::Done).count(), 200);
    assert_eq!(
        settled
            .iter()
            .filter(|s| **s == Settled::InvalidData)
            .count(),
        1
    );
    assert_eq!(
        store.count("SELECT count(*) FROM hookfast.attempts").await,
        200
    );
}

fn retry(claim: Claim) -> Settlement {
    Settlement {
        claim,
        outcome: SettleOutcome::Retry(Duration::ZERO),
        duration: Some(Duration::from_millis(5)),
        status: Some(500),
        error_kind: hookfast::internals::domain::ErrorKind::default(),
        error: Some(StorableText::new("status 500\0", 100)),
    }
}
