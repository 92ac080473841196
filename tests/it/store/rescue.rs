//! What dead workers held comes back, and what living ones hold does not.

use super::Store;
use hookfast::store::{Rescued, Role, SettleOutcome, Settled, rescue_expired, sweep_orphans};
use std::time::Duration;

const EXPIRE: &str = "UPDATE hookfast_data.leases SET expires_at = clock_timestamp() - interval '1 ms'";
const HELD: &str = "SELECT count(*) FROM hookfast_data.outbox WHERE locked_by IS NOT NULL";
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
    assert!(keeper.renew_lease(lease, Duration::from_secs(60)).await.expect("renewed"), "nobody has rescued it yet");
    assert!(store.rescue().await.is_empty());
    assert_eq!(store.settle(claim, SettleOutcome::Delivered).await, Settled::Done);
    store.execute(EXPIRE).await;
    assert!(store.rescue().await.is_empty(), "it held nothing");
    assert!(!keeper.renew_lease(lease, Duration::from_secs(60)).await.expect("an answer"), "it is gone");
    assert_ne!(store.lease().await, lease, "and its number is never used again");
}

#[tokio::test]
async fn everything_of_a_dead_worker_comes_back_however_much_it_is() {
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
    assert_eq!(store.rescue().await.iter().map(|r| r.rescued).sum::<i64>(), 2050);
    assert_eq!((store.count(HELD).await, store.count(LEASES).await), (50, 1));
    assert_eq!(store.count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'").await, 2050);
    // Again within seconds, later with each loss.
    let due = "SELECT count(*) FROM hookfast_data.outbox WHERE lost = 1 AND due_at BETWEEN now() - interval '10 s' AND now() + interval '2 s'";
    assert_eq!(store.count(due).await, 2050);
}

#[tokio::test]
async fn a_worker_that_goes_gives_back_what_it_holds_and_nothing_is_counted() {
    let store = Store::new().await;
    store.fill("o", 3).await;
    let lease = store.lease().await;
    let claims = store.claim_all(lease, 3).await;
    // One of them is in the middle of a settling transaction: that one is not taken from under it.
    let mut settling = store.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM hookfast_data.outbox WHERE id = $1 FOR UPDATE")
        .bind(claims[0].delivery.0)
        .execute(&mut *settling)
        .await
        .expect("locked");
    let mut keeper = store.connection(Role::Lease).await;
    assert_eq!(keeper.abandon_lease(lease).await.expect("abandoned"), 2);
    assert_eq!((store.count(HELD).await, store.count(LEASES).await), (1, 1), "the lease stays while anything is held");
    settling.rollback().await.expect("it gave up");
    assert_eq!(keeper.abandon_lease(lease).await.expect("abandoned"), 1);
    assert_eq!((store.count(HELD).await, store.count(LEASES).await), (0, 0));
    assert!(store.claim_all(lease, 10).await.is_empty(), "nothing is claimed under a lease that is gone");
    let again = store.claim_all(store.lease().await, 10).await;
    assert_eq!(again.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [2, 2, 2], "the fence has moved on");
    assert_eq!(store.settle(claims[0], SettleOutcome::Delivered).await, Settled::Stale);
    let uncounted = "SELECT count(*) FROM hookfast_data.outbox WHERE lost = 0 AND tries_left = 3";
    assert_eq!((store.count(uncounted).await, store.count("SELECT count(*) FROM hookfast.attempts").await), (3, 0));
}

#[tokio::test]
async fn a_claim_that_races_the_end_of_its_worker_leaves_nothing_behind() {
    let store = Store::new().await;
    store.fill("o", 3).await;
    let lease = store.lease().await;
    let mut claiming = store.pool.begin().await.expect("a transaction");
    assert_eq!(store.claim_by_hand(&mut claiming, lease).await, 3);
    let mut keeper = store.connection(Role::Lease).await;
    let ending = tokio::spawn(async move { keeper.abandon_lease(lease).await });
    store.somebody_waits_for_a_lock("hookfast lease").await;
    claiming.commit().await.expect("committed");
    assert_eq!(ending.await.expect("no panic").expect("abandoned"), 3);
    assert_eq!((store.count(HELD).await, store.count(LEASES).await), (0, 0));
}

/// Its attempt has no place; that costs the history one line, and nobody the rescue.
#[tokio::test]
async fn a_delivery_without_its_event_is_rescued_with_its_neighbours() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    store.execute("INSERT INTO hookfast_data.outbox (handler_id, event_id, tries_left) SELECT id, '00000000-0000-7000-8000-000000000000', 3 FROM hookfast_data.handlers").await;
    assert_eq!(store.claim_all(store.lease().await, 10).await.len(), 3);
    store.execute(EXPIRE).await;
    assert_eq!(store.rescue().await, [Rescued { handler: store.handler, rescued: 3, dead: 0 }]);
    assert_eq!(store.count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'").await, 2);
    // The same without a lease.
    assert_eq!(store.claim_some_due(3).await.len(), 3);
    store.execute("DELETE FROM hookfast_data.leases").await;
    assert_eq!(sweep_orphans(&store.pool).await.expect("a sweep")[0].rescued, 3);
    assert_eq!(store.count("SELECT count(*) FROM hookfast_data.outbox WHERE lost = 2").await, 3);
}

#[tokio::test]
async fn a_lease_that_cannot_be_rescued_does_not_keep_the_others_from_it() {
    let store = Store::new().await;
    store.fill("o", 4).await;
    let (bad, good) = (store.lease().await, store.lease().await);
    assert!(bad < good, "it is looked at first");
    let claim = store.claim_all(bad, 1).await[0];
    store.claim_all(good, 3).await;
    // Somebody's bungled repair: the delivery, lost for the last time, is a dead letter already.
    sqlx::query("UPDATE hookfast_data.outbox SET lost = 4 WHERE id = $1")
        .bind(claim.delivery.0)
        .execute(&store.pool)
        .await
        .expect("changed");
    sqlx::query("INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt, lost, reason) SELECT id, handler_id, event_id, 1, 0, 'lost' FROM hookfast_data.outbox WHERE id = $1")
        .bind(claim.delivery.0)
        .execute(&store.pool)
        .await
        .expect("added");
    store.execute(EXPIRE).await;
    assert_eq!(store.rescue().await, [Rescued { handler: store.handler, rescued: 3, dead: 0 }]);
    assert_eq!(store.count(HELD).await, 1);
    store.execute("DELETE FROM hookfast_data.dead_letters").await;
    assert_eq!(store.rescue().await, [Rescued { handler: store.handler, rescued: 1, dead: 1 }], "tried again");
}

#[tokio::test]
async fn the_outcome_of_a_lease_that_expired_counts_until_somebody_rescues_it() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    let lease = store.lease().await;
    let claims = store.claim_all(lease, 2).await;
    store.execute(EXPIRE).await;
    assert_eq!(store.settle(claims[0], SettleOutcome::Delivered).await, Settled::Done);
    assert_eq!(store.rescue().await[0].rescued, 1);
    assert_eq!(store.settle(claims[1], SettleOutcome::Delivered).await, Settled::Stale);
}
