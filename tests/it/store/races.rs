//! Concurrent writers: the verdicts stay the same.

use super::{Store, verdict};
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::domain::Verdict;
use hookfast::internals::store::Role;
use std::{sync::Arc, time::Duration};
use tokio::sync::Barrier;

#[tokio::test(flavor = "multi_thread")]
async fn two_results_of_one_order_at_once_are_one_event_and_one_conflict_a_thousand_times() {
    let store = Arc::new(Store::new().await);
    let barrier = Arc::new(Barrier::new(2));
    let racer = |result: &'static str| {
        let (store, barrier) = (store.clone(), barrier.clone());
        tokio::spawn(async move {
            let mut ingest = store.connection(Role::Ingest).await;
            let mut answers = Vec::new();
            for round in 0..1000 {
                let event = store.event(&format!("order:{round}:completed"), Some(result));
                barrier.wait().await;
                answers.push(verdict(&ingest.ingest(&[event], Webhook).await[0]));
            }
            answers
        })
    };
    let (one, other) = (racer("a"), racer("b"));
    let (one, other) = (one.await.expect("a racer"), other.await.expect("a racer"));
    for (round, pair) in one.iter().zip(&other).enumerate() {
        assert!(
            matches!(pair, (&"stored", &"conflict") | (&"conflict", &"stored")),
            "round {round}: {pair:?}"
        );
    }
    assert!(
        one.contains(&"stored") && other.contains(&"stored"),
        "both were first at times"
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.events WHERE conflicts_with IS NULL")
            .await,
        1000
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.events WHERE conflicts_with IS NOT NULL")
            .await,
        1000
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.outbox")
            .await,
        2000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_with_the_same_key_at_once_one_is_stored_and_all_get_its_id() {
    let store = Arc::new(Store::new().await);
    let barrier = Arc::new(Barrier::new(8));
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, barrier) = (store.clone(), barrier.clone());
        racers.spawn(async move {
            let mut ingest = store.connection(Role::Ingest).await;
            let mut receipts = Vec::new();
            for round in 0..50 {
                let event = store.event(&format!("k{round}"), Some("a"));
                barrier.wait().await;
                receipts.push(ingest.ingest(&[event], Webhook).await[0].expect("answered"));
            }
            receipts
        });
    }
    let racers = racers.join_all().await;
    for round in 0..50 {
        let stored: Vec<_> = racers
            .iter()
            .filter(|r| r[round].verdict == Verdict::Stored)
            .collect();
        assert_eq!(stored.len(), 1, "round {round}");
        assert!(
            racers
                .iter()
                .all(|r| r[round].event_id == stored[0][round].event_id),
            "round {round}"
        );
    }
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.outbox")
            .await,
        50
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_requests_for_an_expired_key_is_stored() {
    let store = Arc::new(Store::new().await);
    let barrier = Arc::new(Barrier::new(2));
    store.execute("INSERT INTO hookfast_data.idempotency_keys SELECT 1, 'k' || i, gen_random_uuid(), NULL, now() - interval '1 s' FROM generate_series(0, 199) i").await;
    let racer = || {
        let (store, barrier) = (store.clone(), barrier.clone());
        tokio::spawn(async move {
            let mut ingest = store.connection(Role::Ingest).await;
            let mut stored = Vec::new();
            for round in 0..200 {
                let mut event = store.event(&format!("k{round}"), None);
                event.window = Some(Duration::from_secs(60));
                barrier.wait().await;
                stored.push(verdict(&ingest.ingest(&[event], Webhook).await[0]) == "stored");
            }
            stored
        })
    };
    let (one, other) = (racer(), racer());
    let (one, other) = (one.await.expect("a racer"), other.await.expect("a racer"));
    assert!(
        one.iter().zip(&other).all(|(a, b)| a ^ b),
        "exactly one of each pair"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_with_their_keys_in_any_order_lose_no_request() {
    let store = Arc::new(Store::new().await);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..6usize {
        let store = store.clone();
        writers.spawn(async move {
            let mut ingest = store.connection(Role::Ingest).await;
            for round in 0..20usize {
                // The same keys for all, each writer starts at another one, half of them backwards;
                // results differ.
                let mut group: Vec<_> = (0..50usize)
                    .map(|i| {
                        store.event(
                            &format!("{round}-{}", (i * 7 + writer * 13) % 50),
                            Some(if writer < 3 { "a" } else { "b" }),
                        )
                    })
                    .collect();
                if writer % 2 == 0 {
                    group.reverse();
                }
                let answers = ingest.ingest(&group, Webhook).await;
                assert!(answers.iter().all(Result::is_ok), "{answers:?}");
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.expect("every request of every group was answered");
    }
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.events WHERE conflicts_with IS NULL")
            .await,
        1000
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.events WHERE conflicts_with IS NOT NULL")
            .await,
        1000
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.outbox")
            .await,
        2000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_and_a_rescuer_settle_each_delivery_once() {
    use super::rescue_expired;
    use hookfast::internals::store::{SettleOutcome, Settlement};
    let store = Arc::new(Store::new().await);
    let orders = store.fill("o", 3000).await;
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..2u64 {
        let store = store.clone();
        workers.spawn(async move {
            let mut settle = store.connection(Role::Settle).await;
            let mut done = 0;
            for round in 0u64.. {
                let lease = store.lease().await;
                let claims = store.claim_all(lease, 100).await;
                if claims.is_empty() && store.count("SELECT count(*) FROM hookfast_data.outbox").await == 0 {
                    break;
                }
                // In every third round its lease expires while it still works: its settlements may
                // be stale.
                if (round + worker) % 3 == 0 {
                    sqlx::query("UPDATE hookfast_data.leases SET expires_at = now() - interval '1 s' WHERE id = $1")
                        .bind(lease.0)
                        .execute(&store.pool)
                        .await
                        .expect("expired");
                    if round % 2 == 0 {
                        rescue_expired(&store.pool).await.expect("a rescue");
                        sqlx::query("UPDATE hookfast_data.outbox SET due_at = now(), lost = 0 WHERE due_at > now()")
                            .execute(&store.pool)
                            .await
                            .expect("due at once");
                    }
                }
                let outcomes: Vec<_> = claims
                    .into_iter()
                    .map(|claim| Settlement {
                        claim,
                        outcome: SettleOutcome::Delivered,
                        duration: None,
                        status: None,
                        error_kind: hookfast::internals::domain::ErrorKind::default(),
                        error: None,
                    })
                    .collect();
                done += settle.settle(&outcomes).await.iter().filter(|s| **s == hookfast::internals::store::Settled::Done).count();
            }
            done
        });
    }
    let done: usize = workers.join_all().await.iter().sum();
    assert_eq!(done, orders, "each was settled by exactly one of them");
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'")
            .await,
        orders as i64
    );
    assert!(
        store
            .count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'")
            .await
            > 0,
        "some were taken over"
    );
}
