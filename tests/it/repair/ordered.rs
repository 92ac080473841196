//! Repairs of the deliveries of ordered handlers keep the order.

use super::Desk;
use crate::support::wait_until;
use hookfast::internals::store::SettleOutcome::{Delivered, Rejected};
use std::cell::Cell;

#[tokio::test]
async fn a_blocked_key_waits_and_continues_in_order_after_the_retry() {
    let desk = Desk::new().await;
    desk.events(1..=4, 1).await;
    for n in 1..=4 {
        desk.pending(n, "holds").await;
    }
    desk.settle(desk.claim_one("holds", 1).await, Rejected)
        .await;
    desk.execute("SELECT hookfast_data.wake_stalled_keys(id) FROM hookfast_data.handlers")
        .await;
    assert_eq!(
        desk.states().await,
        "1 dead, 2 waiting, 3 waiting, 4 waiting"
    );
    assert!(desk.claim("holds").await.is_empty());
    desk.execute("SELECT hookfast.retry(1, why => 'a test')")
        .await;
    desk.deliver("holds", &[1, 2, 3, 4]).await;
}

#[tokio::test]
async fn discarding_the_dead_letter_of_a_blocked_key_makes_the_next_one_due() {
    let desk = Desk::new().await;
    desk.events(1..=3, 1).await;
    for all in [
        "SELECT hookfast.discard(1, 'old')",
        "SELECT hookfast.discard_all(handler => 'holds', at_most => 1, why => 'a test')",
    ] {
        desk.execute("TRUNCATE hookfast_data.attempts").await;
        for n in 1..=3 {
            desk.pending(n, "holds").await;
        }
        desk.settle(desk.claim_one("holds", 1).await, Rejected)
            .await;
        assert!(desk.claim("holds").await.is_empty());
        desk.execute(all).await;
        desk.deliver("holds", &[2, 3]).await;
        assert_eq!(desk.states().await, "1 discarded, 2 delivered, 3 delivered");
    }
}

#[tokio::test]
async fn a_retry_waits_for_running_and_due_deliveries_of_its_key() {
    let desk = Desk::new().await;
    desk.events(1..=3, 1).await;
    for n in 1..=3 {
        desk.pending(n, "skips").await;
    }
    desk.settle(desk.claim_one("skips", 1).await, Rejected)
        .await;
    // 2 is due.
    desk.execute("SELECT hookfast.retry(1, why => 'a test')")
        .await;
    desk.sequence().await;
    assert_eq!(desk.states().await, "1 waiting, 2 ready, 3 waiting");
    let running = desk.claim_one("skips", 2).await;
    desk.execute("SELECT hookfast_data.wake_stalled_keys(id) FROM hookfast_data.handlers")
        .await;
    assert_eq!(desk.states().await, "1 waiting, 2 running, 3 waiting");
    desk.settle(running, Delivered).await;
    desk.settle(desk.claim_one("skips", 1).await, Rejected)
        .await;
    // 3 is running.
    let running = desk.claim_one("skips", 3).await;
    desk.execute("SELECT hookfast.retry(1, why => 'a test')")
        .await;
    desk.sequence().await;
    assert_eq!(desk.states().await, "1 waiting, 2 delivered, 3 running");
    assert!(desk.claim("skips").await.is_empty());
    desk.settle(running, Delivered).await;
    desk.deliver("skips", &[1]).await;
}

#[tokio::test]
async fn dead_letters_of_one_key_retried_at_once_run_one_by_one_in_their_order() {
    for handler in ["skips", "holds"] {
        let desk = Desk::new().await;
        desk.events(1..=6, 2).await;
        for n in [5, 1, 3, 6, 2] {
            desk.dead(n, handler, "no").await;
        }
        desk.execute("SELECT hookfast.retry_all(at_most => 5, why => 'a test')")
            .await;
        desk.sequence().await;
        assert_eq!(
            desk.states().await,
            "1 ready, 2 ready, 3 waiting, 5 waiting, 6 waiting",
            "one of each key"
        );
        for expected in [vec![1, 2], vec![3, 6], vec![5]] {
            let mut claims = desk.claim(handler).await;
            claims.sort_by_key(|claim| claim.delivery.0);
            assert_eq!(
                claims
                    .iter()
                    .map(|claim| claim.delivery.0)
                    .collect::<Vec<_>>(),
                expected
            );
            for claim in claims {
                desk.settle(claim, Delivered).await;
            }
        }
    }
}

/// The retry's transaction stays open, while others end and arrive: two deliveries of a key never
/// run at once.
#[tokio::test]
async fn a_retry_that_commits_late_does_not_run_beside_another_of_its_key() {
    for handler in ["skips", "holds"] {
        let desk = Desk::new().await;
        desk.events(1..=2, 1).await;
        desk.dead(1, handler, "no").await;
        let mut operator = desk.pool.begin().await.expect("a transaction");
        sqlx::query("SELECT hookfast.retry(1, why => 'a test')")
            .execute(&mut *operator)
            .await
            .expect("retried");
        desk.pending(2, handler).await;
        let mut running = desk.claim(handler).await;
        operator.commit().await.expect("committed");
        desk.sequence().await;
        running.extend(desk.claim(handler).await);
        let first = if handler == "holds" { 1 } else { 2 };
        assert_eq!(
            running
                .iter()
                .map(|claim| claim.delivery.0)
                .collect::<Vec<_>>(),
            [first],
            "one at a time"
        );
        desk.settle(running[0], Delivered).await;
        desk.deliver(handler, &[3 - first]).await;
    }
}

/// A delivery that ends just before the retry commits cannot see what the retry parked behind it.
#[tokio::test]
async fn a_retry_behind_one_that_is_just_ending_is_not_forgotten() {
    let desk = Desk::new().await;
    desk.events(1..=2, 1).await;
    desk.dead(1, "skips", "no").await;
    desk.pending(2, "skips").await;
    let running = desk.claim_one("skips", 2).await;
    let mut operator = desk.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT hookfast.retry(1, why => 'a test')")
        .execute(&mut *operator)
        .await
        .expect("retried");
    let settled = Cell::new(false);
    let settling = async {
        desk.settle(running, Delivered).await;
        settled.set(true);
    };
    let committing = async {
        wait_until("the settlement to end or to wait for a lock", async || {
            settled.get()
                || desk.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").await != "0"
        })
        .await;
        operator.commit().await.expect("committed");
    };
    tokio::join!(settling, committing);
    desk.sequence().await;
    desk.deliver("skips", &[1]).await;
}
