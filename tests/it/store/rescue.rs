//! Deliveries of dead workers are rescued, and those of live workers are not.

use super::{Store, rescue_expired, sweep_orphans};
use hookfast::internals::store::{
    Rescued, Role, SettleOutcome, Settled, release_unknown, wait_for_claims,
};
use std::time::Duration;

const EXPIRE: &str =
    "UPDATE hookfast_data.leases SET expires_at = clock_timestamp() - interval '1 ms'";
const HELD: &str = "SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL";
const LEASES: &str = "SELECT count(*) FROM hookfast_data.leases";

impl Store {
    async fn rescue(&self) -> Vec<Rescued> {
        rescue_expired(&self.pool).await.expect("a rescue")
    }
}

#[tokio::test]
async fn a_lease_that_is_renewed_is_not_rescued_even_after_it_had_expired() {
    let store = Store::new().await;
    store.fill("o", 1).await;
    let lease = store.lease().await;
    let claim = store.claim_all(lease, 1).await[0];
    store.execute(EXPIRE).await;
    let mut keeper = store.connection(Role::Lease).await;
    assert!(
        keeper
            .renew_lease(lease, Duration::from_secs(60))
            .await
            .expect("renewed"),
        "it has not been rescued yet"
    );
    assert!(store.rescue().await.is_empty());
    assert_eq!(
        store.settle(claim, SettleOutcome::Delivered).await,
        Settled::Done
    );
    store.execute(EXPIRE).await;
    assert!(store.rescue().await.is_empty(), "it held nothing");
    assert!(
        !keeper
            .renew_lease(lease, Duration::from_secs(60))
            .await
            .expect("an answer"),
        "it no longer exists"
    );
    assert_ne!(store.lease().await, lease, "its number is never reused");
}

#[tokio::test]
async fn all_deliveries_of_a_dead_worker_are_rescued() {
    let store = Store::new().await;
    store.fill("o", 2100).await;
    let (dead, alive) = (store.lease().await, store.lease().await);
    assert_eq!(store.claim_all(dead, 2050).await.len(), 2050);
    assert_eq!(store.claim_all(alive, 100).await.len(), 50);
    sqlx::query("UPDATE hookfast_data.leases SET expires_at = clock_timestamp() - interval '1 ms' WHERE id = $1")
        .bind(dead.0)
        .execute(&store.pool)
        .await
        .expect("expired");
    assert_eq!(
        store.rescue().await.iter().map(|r| r.rescued).sum::<i64>(),
        2050
    );
    assert_eq!(
        (store.count(HELD).await, store.count(LEASES).await),
        (50, 1)
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'")
            .await,
        2050
    );
    // Again within seconds, later with each loss.
    let due = "SELECT count(*) FROM hookfast_data.outbox WHERE lost = 1 AND due_at BETWEEN now() - interval '10 s' AND now() + interval '2 s'";
    assert_eq!(store.count(due).await, 2050);
}

#[tokio::test]
async fn a_worker_that_stops_releases_its_deliveries_without_an_attempt() {
    let store = Store::new().await;
    store.fill("o", 3).await;
    let lease = store.lease().await;
    let claims = store.claim_all(lease, 3).await;
    // One of them is in the middle of a settling transaction, and is not taken from it.
    let mut settling = store.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM hookfast_data.outbox WHERE id = $1 FOR UPDATE")
        .bind(claims[0].delivery.0)
        .execute(&mut *settling)
        .await
        .expect("locked");
    let mut keeper = store.connection(Role::Lease).await;
    assert_eq!(keeper.abandon_lease(lease).await.expect("abandoned"), 2);
    assert_eq!(
        (store.count(HELD).await, store.count(LEASES).await),
        (1, 1),
        "the lease stays while it holds a delivery"
    );
    settling.rollback().await.expect("it timed out");
    assert_eq!(keeper.abandon_lease(lease).await.expect("abandoned"), 1);
    assert_eq!((store.count(HELD).await, store.count(LEASES).await), (0, 0));
    assert!(
        store.claim_all(lease, 10).await.is_empty(),
        "nothing is claimed under a lost lease"
    );
    let again = store.claim_all(store.lease().await, 10).await;
    assert_eq!(
        again.iter().map(|claim| claim.attempt).collect::<Vec<_>>(),
        [2, 2, 2],
        "the fence has moved on"
    );
    assert_eq!(
        store.settle(claims[0], SettleOutcome::Delivered).await,
        Settled::Stale
    );
    let uncounted =
        "SELECT count(*) FROM hookfast_data.outbox WHERE lost = 0 AND attempts_left = 3";
    assert_eq!(
        (
            store.count(uncounted).await,
            store.count("SELECT count(*) FROM hookfast.attempts").await
        ),
        (3, 0)
    );
}

#[tokio::test]
async fn a_claim_that_races_the_end_of_its_worker_leaves_no_orphan() {
    let store = Store::new().await;
    store.fill("o", 3).await;
    let lease = store.lease().await;
    let mut claiming = store.pool.begin().await.expect("a transaction");
    assert_eq!(store.claim_by_hand(&mut claiming, lease).await, 3);
    let mut keeper = store.connection(Role::Lease).await;
    let ending = tokio::spawn(async move { keeper.abandon_lease(lease).await });
    store.a_session_waits_for_a_lock("hookfast lease").await;
    claiming.commit().await.expect("committed");
    assert_eq!(ending.await.expect("no panic").expect("abandoned"), 3);
    assert_eq!((store.count(HELD).await, store.count(LEASES).await), (0, 0));
}

/// Its attempt cannot be stored. That costs the history one row, and does not prevent the rescue.
#[tokio::test]
async fn a_delivery_without_its_event_is_rescued_with_its_neighbours() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    store.execute("INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left) SELECT id, '00000000-0000-7000-8000-000000000000', 3 FROM hookfast_data.handlers").await;
    assert_eq!(store.claim_all(store.lease().await, 10).await.len(), 3);
    store.execute(EXPIRE).await;
    assert_eq!(
        store.rescue().await,
        [Rescued {
            handler: store.handler,
            rescued: 3,
            dead: 0
        }]
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'")
            .await,
        2
    );
    // The same without a lease.
    assert_eq!(store.claim_some_due(3).await.len(), 3);
    store.execute("DELETE FROM hookfast_data.leases").await;
    assert_eq!(sweep_orphans(&store.pool).await[0].rescued, 3);
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.outbox WHERE lost = 2")
            .await,
        3
    );
}

#[tokio::test]
async fn a_lease_that_cannot_be_rescued_does_not_block_other_rescues() {
    let store = Store::new().await;
    store.fill("o", 4).await;
    let (bad, good) = (store.lease().await, store.lease().await);
    assert!(bad < good, "it is read first");
    let claim = store.claim_all(bad, 1).await[0];
    store.claim_all(good, 3).await;
    // After a wrong manual repair: the delivery, lost for the last time, is already a dead letter.
    sqlx::query("UPDATE hookfast_data.outbox SET lost = 4 WHERE id = $1")
        .bind(claim.delivery.0)
        .execute(&store.pool)
        .await
        .expect("changed");
    sqlx::query("INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason) SELECT id, handler_id, event_id, 1, 0, 'lost' FROM hookfast_data.outbox WHERE id = $1")
        .bind(claim.delivery.0)
        .execute(&store.pool)
        .await
        .expect("added");
    store.execute(EXPIRE).await;
    assert_eq!(
        store.rescue().await,
        [Rescued {
            handler: store.handler,
            rescued: 3,
            dead: 0
        }]
    );
    assert_eq!(store.count(HELD).await, 1);
    store
        .execute("DELETE FROM hookfast_data.dead_letters")
        .await;
    assert_eq!(
        store.rescue().await,
        [Rescued {
            handler: store.handler,
            rescued: 1,
            dead: 1
        }],
        "retried"
    );
}

#[tokio::test]
async fn the_outcome_of_an_expired_lease_counts_until_it_is_rescued() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    let lease = store.lease().await;
    let claims = store.claim_all(lease, 2).await;
    store.execute(EXPIRE).await;
    assert_eq!(
        store.settle(claims[0], SettleOutcome::Delivered).await,
        Settled::Done
    );
    assert_eq!(store.rescue().await[0].rescued, 1);
    assert_eq!(
        store.settle(claims[1], SettleOutcome::Delivered).await,
        Settled::Stale
    );
}

/// A claim whose connection was lost here may still be running on the server. The search for it
/// blocks nothing, and in particular not the renewal of the lease.
#[tokio::test]
async fn a_lost_claim_in_progress_blocks_nothing_and_is_found_afterwards() {
    let store = Store::new().await;
    store.fill("o", 5).await;
    let lease = store.lease().await;
    let known = store.claim_all(lease, 1).await[0].delivery;
    let release = async || {
        release_unknown(&store.pool, lease, store.handler, &[known])
            .await
            .expect("searched")
    };
    let mut claiming = store.pool.begin().await.expect("a transaction");
    assert_eq!(store.claim_by_hand(&mut claiming, lease).await, 4);
    let look = tokio::time::timeout(Duration::from_secs(5), release()).await;
    assert_eq!(look.expect("it waits for no lock"), 0);
    // The last search of a process that ends does wait.
    let pool = store.pool.clone();
    let waiting = tokio::spawn(async move { wait_for_claims(&pool, lease).await });
    store.a_session_waits_for_a_lock("").await;
    claiming.commit().await.expect("committed");
    waiting.await.expect("no panic").expect("waited");
    assert_eq!(release().await, 4);
    assert_eq!(store.count(HELD).await, 1, "known deliveries stay");
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.outbox WHERE lost = 0")
            .await,
        5,
        "no attempt is counted"
    );
}

#[tokio::test]
async fn the_search_for_lost_claims_waits_for_no_lock_on_the_lease() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    let lease = store.lease().await;
    store.claim_all(lease, 2).await;
    let mut locking = store.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM hookfast_data.leases FOR UPDATE")
        .execute(&mut *locking)
        .await
        .expect("locked");
    let release = release_unknown(&store.pool, lease, store.handler, &[]);
    let released = tokio::time::timeout(Duration::from_secs(5), release)
        .await
        .expect("it waits for no lock");
    assert_eq!(released.expect("searched"), 2);
}

/// The search for the deliveries of a lease ends after a bounded number of unclaimed deliveries.
#[tokio::test]
async fn a_delivery_hidden_behind_a_backlog_becomes_an_orphan_and_is_found() {
    let store = Store::new().await;
    store.fill("o", 1).await;
    let lease = store.lease().await;
    let claim = store.claim_all(lease, 1).await[0];
    // A transaction that committed lower ids late.
    store.execute("INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempts_left) SELECT o.handler_id, -i, o.event_id, 3 FROM hookfast_data.outbox o, generate_series(1, 50000) i").await;
    assert_eq!(
        release_unknown(&store.pool, lease, store.handler, &[])
            .await
            .expect("searched"),
        0
    );
    store.execute(EXPIRE).await;
    assert_eq!(store.rescue().await, []);
    assert_eq!((store.count(HELD).await, store.count(LEASES).await), (1, 0));
    assert_eq!(
        sweep_orphans(&store.pool).await,
        [Rescued {
            handler: store.handler,
            rescued: 1,
            dead: 0
        }]
    );
    assert_eq!(
        store.settle(claim, SettleOutcome::Delivered).await,
        Settled::Stale
    );
}

#[tokio::test]
async fn an_orphan_that_cannot_be_rescued_does_not_block_the_others() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    let (bad, good) = (store.lease().await, store.lease().await);
    let claim = store.claim_all(bad, 1).await[0];
    store.claim_all(good, 1).await;
    sqlx::query("INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason) SELECT id, handler_id, event_id, 1, 0, 'lost' FROM hookfast_data.outbox WHERE id = $1")
        .bind(claim.delivery.0)
        .execute(&store.pool)
        .await
        .expect("added");
    store
        .execute("UPDATE hookfast_data.outbox SET lost = 4; DELETE FROM hookfast_data.leases")
        .await;
    assert_eq!(
        sweep_orphans(&store.pool).await,
        [Rescued {
            handler: store.handler,
            rescued: 1,
            dead: 1
        }]
    );
    store
        .execute("DELETE FROM hookfast_data.dead_letters")
        .await;
    assert_eq!(
        sweep_orphans(&store.pool).await,
        [Rescued {
            handler: store.handler,
            rescued: 1,
            dead: 1
        }],
        "retried"
    );
}

/// No worker settles a delivery that is lost for the last time, so nothing else would make the next
/// one due.
#[tokio::test]
async fn the_next_of_a_key_is_due_when_the_one_before_is_lost_too_often() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    store
        .execute("UPDATE hookfast_data.handlers SET ordered_by = '{k}'")
        .await;
    store.execute("UPDATE hookfast_data.outbox SET ordering_key = 'k', lost = 4, due_at = CASE WHEN id = (SELECT min(id) FROM hookfast_data.outbox) THEN now() ELSE 'infinity' END").await;
    assert_eq!(store.claim_all(store.lease().await, 10).await.len(), 1);
    store.execute(EXPIRE).await;
    assert_eq!(
        store.rescue().await,
        [Rescued {
            handler: store.handler,
            rescued: 1,
            dead: 1
        }]
    );
    assert_eq!(
        store.claim_all(store.lease().await, 10).await.len(),
        1,
        "no sweep was needed"
    );
}
