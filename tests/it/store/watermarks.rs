//! The id watermark never hides a delivery that commits late.

use super::Store;
use crate::support::{wait_until, wait_until_within};
use hookfast::internals::store::{Role, SettleOutcome, Settlement, Watermarks};
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// A transaction that takes delivery ids now and commits later, as `enqueue` in an application's
/// transaction does. It has its transaction id before it takes delivery ids, as every writer has.
const TAKES_IDS: &str = "WITH key AS (INSERT INTO hookfast_data.idempotency_keys SELECT 1, gen_random_uuid()::text, gen_random_uuid() RETURNING 1) \
    INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left) SELECT $1, hookfast_data.event_id_at(clock_timestamp()), 3 FROM key, generate_series(1, $2)";

#[tokio::test]
async fn a_late_commit_below_the_watermark_is_found_without_a_full_scan() {
    for most in [500, 50] {
        let store = Store::new().await;
        let lease = store.lease().await;
        let mut claimer = store.connection(Role::Claim).await;
        let mut watermarks = Watermarks::new(Instant::now());
        assert!(
            store
                .claim(&mut claimer, lease, most, &mut watermarks)
                .await
                .claimed
                .is_empty(),
            "the full scan of the start is over"
        );

        let mut late = store.pool.begin().await.expect("a transaction");
        sqlx::query(TAKES_IDS)
            .bind(store.handler.0)
            .bind(120)
            .execute(&mut *late)
            .await
            .expect("ids are taken");
        let mut found = HashSet::new();
        let mut claim_some = async |watermarks: &mut Watermarks, claims: usize| {
            for _ in 0..claims {
                let batch = store.claim(&mut claimer, lease, most, watermarks).await;
                found.extend(batch.claimed.iter().map(|c| c.claim.delivery.0));
            }
            found.len()
        };
        // Others commit meanwhile, and are claimed: the watermark tends to rise.
        for i in 0..5 {
            store.fill(&format!("{most}-{i}"), 100).await;
            claim_some(&mut watermarks, 12).await;
        }
        assert_eq!(claim_some(&mut watermarks, 1).await, 500);
        late.commit().await.expect("late");
        store.fill(&format!("{most}-after"), 100).await;
        assert_eq!(
            claim_some(&mut watermarks, 20).await,
            720,
            "claims of {most}"
        );
        // The watermark does rise, once the transactions of other tests that were open meanwhile
        // have ended: a claim does not read everything again.
        wait_until_within(Duration::from_secs(40), "a watermark", async || {
            claim_some(&mut watermarks, 1).await;
            watermarks.for_claim(Instant::now()).0 > 0
        })
        .await;
    }
}

/// A snapshot's xmax follows the latest transaction that ended, not the latest that began. While
/// the last to end is an older one, a younger transaction with lower delivery ids may be open.
#[tokio::test]
async fn a_younger_transaction_with_lower_ids_is_waited_for() {
    let store = Store::new().await;
    let lease = store.lease().await;
    let mut claimer = store.connection(Role::Claim).await;
    let mut watermarks = Watermarks::new(Instant::now());
    store.claim(&mut claimer, lease, 10, &mut watermarks).await;
    // Other tests' transactions end in the same cluster, so this is repeated a few times.
    for round in 0..20 {
        let (mut older, mut younger) = (
            store.pool.begin().await.expect("a transaction"),
            store.pool.begin().await.expect("a transaction"),
        );
        sqlx::query("SELECT pg_current_xact_id()")
            .execute(&mut *older)
            .await
            .expect("the older one's id");
        sqlx::query(TAKES_IDS)
            .bind(store.handler.0)
            .bind(3)
            .execute(&mut *younger)
            .await
            .expect("the lower ids");
        sqlx::query(TAKES_IDS)
            .bind(store.handler.0)
            .bind(3)
            .execute(&mut *older)
            .await
            .expect("the higher ids");
        older.commit().await.expect("the older one ends first");
        for expected in [3, 0, 0] {
            assert_eq!(
                store
                    .claim(&mut claimer, lease, 10, &mut watermarks)
                    .await
                    .claimed
                    .len(),
                expected
            );
        }
        younger.commit().await.expect("the younger one ends");
        let found = store
            .claim(&mut claimer, lease, 10, &mut watermarks)
            .await
            .claimed
            .len();
        assert_eq!(
            found, 3,
            "round {round}: they are below the deliveries claimed before"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_writers_do_each_delivery_is_claimed_once() {
    let store = Arc::new(Store::new().await);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..6u64 {
        let store = store.clone();
        writers.spawn(async move {
            for round in 0..15u64 {
                let mut transaction = store.pool.begin().await.expect("a transaction");
                sqlx::query(TAKES_IDS)
                    .bind(store.handler.0)
                    .bind(20)
                    .execute(&mut *transaction)
                    .await
                    .expect("ids");
                // The transactions overlap, and do not commit in the order of their ids.
                tokio::time::sleep(Duration::from_millis((writer * 37 + round * 53) % 300)).await;
                // Some roll back: their ids never appear.
                if (writer + round) % 7 == 0 {
                    transaction.rollback().await.expect("rolled back");
                } else {
                    transaction.commit().await.expect("there");
                }
            }
        });
    }
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut claimers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (store, stop) = (store.clone(), stop.clone());
        claimers.spawn(async move {
            let lease = store.lease().await;
            let (mut claim, mut settle) = (
                store.connection(Role::Claim).await,
                store.connection(Role::Settle).await,
            );
            let (mut watermarks, mut found, mut idle) =
                (Watermarks::new(Instant::now()), Vec::new(), 0);
            while idle < 20 {
                let batch = store.claim(&mut claim, lease, 7, &mut watermarks).await;
                idle = if batch.claimed.is_empty()
                    && stop.load(std::sync::atomic::Ordering::Relaxed)
                {
                    idle + 1
                } else {
                    0
                };
                let outcomes: Vec<_> = batch
                    .claimed
                    .iter()
                    .map(|c| Settlement {
                        claim: c.claim,
                        outcome: SettleOutcome::EventMissing,
                        duration: None,
                        status: None,
                        error_kind: hookfast::internals::domain::ErrorKind::default(),
                        error: None,
                    })
                    .collect();
                settle.settle(&outcomes).await;
                found.extend(batch.claimed.iter().map(|c| c.claim.delivery.0));
            }
            found
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.expect("a writer");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let found: Vec<i64> = claimers.join_all().await.into_iter().flatten().collect();
    let committed = store
        .count("SELECT count(*) FROM hookfast_data.dead_letters")
        .await;
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.outbox")
            .await,
        0,
        "none was missed"
    );
    assert_eq!(found.len() as i64, committed);
    assert_eq!(
        found.iter().collect::<HashSet<_>>().len(),
        found.len(),
        "none was claimed twice"
    );
    assert!(found.len() > 1200, "{}", found.len());
}

/// A claim of a paused handler finds nothing in any case, so it proves nothing.
#[tokio::test]
async fn a_claim_of_a_paused_handler_raises_no_watermark() {
    let store = Store::new().await;
    let lease = store.lease().await;
    let mut claimer = store.connection(Role::Claim).await;
    let mut watermarks = Watermarks::new(Instant::now());
    store.claim(&mut claimer, lease, 500, &mut watermarks).await;
    let mut late = store.pool.begin().await.expect("a transaction");
    sqlx::query(TAKES_IDS)
        .bind(store.handler.0)
        .bind(30)
        .execute(&mut *late)
        .await
        .expect("ids are taken");
    store.fill("newer", 5).await;
    assert_eq!(
        store
            .claim(&mut claimer, lease, 500, &mut watermarks)
            .await
            .claimed
            .len(),
        5
    );
    store
        .execute("SELECT hookfast.pause_handler('shop', 'a test')")
        .await;
    late.commit().await.expect("while no search runs");
    // An open transaction of another test would keep the watermark down in any case. If one stays
    // open for long, this run proves nothing.
    let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let oldest = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
    let next = store.count(next).await;
    let ended = wait_until("all earlier transactions to end", async || {
        store.count(oldest).await >= next
    });
    let _ = tokio::time::timeout(Duration::from_secs(20), ended).await;
    assert!(
        store
            .claim(&mut claimer, lease, 500, &mut watermarks)
            .await
            .claimed
            .is_empty()
    );
    store
        .execute("SELECT hookfast.resume_handler('shop', why => 'a test')")
        .await;
    assert_eq!(
        store
            .claim(&mut claimer, lease, 500, &mut watermarks)
            .await
            .claimed
            .len(),
        30,
        "without a full scan"
    );
}
