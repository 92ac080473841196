//! Ordered handlers: one delivery of a key at a time, in the order of the events.

use super::{Running, source, subscription};
use crate::support::{
    postgres::{self, database},
    wait_until_within,
};
use hookfast::internals::app::{Builder, Subscription};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Delivery, OnDeadLetter, Order, Outcome, RetryPolicy};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

#[derive(serde::Deserialize)]
struct Payload {
    key: String,
    n: u32,
}

/// The handled steps by key, and the keys that are being handled.
#[derive(Default)]
struct Seen {
    done: HashMap<String, Vec<u32>>,
    running: HashSet<String>,
    overlaps: usize,
}

fn ordered(name: &str, on_dead: OnDeadLetter) -> Subscription {
    let mut ordered = subscription(name);
    ordered.types = vec!["step".parse().expect("a pattern")];
    ordered.policy.retry = RetryPolicy::Delays(vec![Duration::from_millis(5); 20]);
    ordered.policy.order = Some(Order {
        by: "/key".parse().expect("a path"),
        on_dead,
    });
    ordered
}

fn declare(builder: Builder) -> Builder {
    builder
        .source(source(Reject))
        .sql_source("steps".parse().expect("a name"))
}

impl Running {
    /// Enqueues steps of a key, in one transaction.
    async fn steps(&self, key: &str, from: i32, to: i32) {
        sqlx::query("SELECT hookfast.enqueue('steps', 'step', jsonb_build_object('key', $1::text, 'n', n)) FROM generate_series($2, $3) n")
            .bind(key)
            .bind(from)
            .bind(to)
            .execute(&self.pool)
            .await
            .expect("enqueued");
    }
}

/// Fails about every third attempt; `bad` selects the steps that are rejected for good.
fn recorder(
    seen: Arc<Mutex<Seen>>,
    bad: fn(&Payload) -> bool,
) -> impl hookfast::internals::handlers::Handler {
    move |delivery: Delivery| {
        let seen = seen.clone();
        async move {
            let step: Payload = delivery.event.json().expect("a step");
            if !seen
                .lock()
                .expect("no panic")
                .running
                .insert(step.key.clone())
            {
                seen.lock().expect("no panic").overlaps += 1;
            }
            tokio::task::yield_now().await;
            let mut seen = seen.lock().expect("no panic");
            seen.running.remove(&step.key);
            if bad(&step) {
                return Outcome::dead("refused");
            }
            if (delivery.id.0 + i64::from(delivery.attempt)) % 3 == 0 {
                return Outcome::retry("not now");
            }
            seen.done.entry(step.key).or_default().push(step.n);
            Outcome::Delivered
        }
    }
}

/// The workers of two whole processes on one database.
async fn two(
    database: &postgres::Database,
    subscribe: Subscription,
    seen: &Arc<Mutex<Seen>>,
    bad: fn(&Payload) -> bool,
) -> [Running; 2] {
    let one = Running::start(database, |builder| {
        declare(builder).handler(subscribe.clone(), recorder(seen.clone(), bad))
    })
    .await;
    let other = Running::start(database, |builder| {
        declare(builder).handler(subscribe, recorder(seen.clone(), bad))
    })
    .await;
    [one, other]
}

const PENDING: &str = "SELECT count(*) FROM hookfast_data.outbox";

async fn until_nothing_is_pending(running: &Running) {
    wait_until_within(Duration::from_secs(60), "nothing pending", async || {
        running.count(PENDING).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_keeps_its_order_over_retries_and_two_workers() {
    let database = database().await;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let [one, other] = two(
        &database,
        ordered("shop", OnDeadLetter::Skip),
        &seen,
        |_| false,
    )
    .await;
    for round in 0..5 {
        for key in 0..20 {
            one.steps(&format!("key-{key}"), round * 4, round * 4 + 3)
                .await;
        }
    }
    until_nothing_is_pending(&one).await;
    one.end().await;
    other.end().await;
    let seen = seen.lock().expect("no panic");
    assert_eq!((seen.done.len(), seen.overlaps), (20, 0));
    for (key, steps) in &seen.done {
        assert_eq!(*steps, (0..20).collect::<Vec<_>>(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_key_with_many_deliveries_blocks_no_other_key() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut shop = ordered("shop", OnDeadLetter::Skip);
        shop.policy.retry = RetryPolicy::Delays(vec![Duration::from_millis(50); 999]);
        declare(builder).handler(shop, |delivery: Delivery| async move {
            let step: Payload = delivery.event.json().expect("a step");
            if step.key == "blocked" {
                Outcome::retry("blocked")
            } else {
                Outcome::Delivered
            }
        })
    })
    .await;
    running.steps("blocked", 0, 99_999).await;
    for key in 0..100 {
        running.steps(&format!("free-{key}"), 0, 4).await;
    }
    let free =
        "SELECT count(*) FROM hookfast.deliveries WHERE state = 'delivered' AND handler = 'shop'";
    let done = async || running.count(free).await == 500;
    wait_until_within(
        Duration::from_secs(60),
        "the deliveries of other keys",
        done,
    )
    .await;
    running
        .until(
            "SELECT count(*) FROM hookfast.deliveries WHERE state = 'waiting'",
            99_999,
        )
        .await;
    let tried = "SELECT count(DISTINCT delivery_id) FROM hookfast.attempts WHERE outcome = 'retry'";
    assert_eq!(
        running.count(tried).await,
        1,
        "only the first delivery of the blocked key is attempted"
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_skipped_or_blocks_its_key() {
    let database = database().await;
    let seen = [(); 2].map(|()| Arc::new(Mutex::new(Seen::default())));
    let bad = |step: &Payload| step.key == "b" && step.n == 2;
    let running = Running::start(&database, |builder| {
        declare(builder)
            .handler(
                ordered("skips", OnDeadLetter::Skip),
                recorder(seen[0].clone(), bad),
            )
            .handler(
                ordered("holds", OnDeadLetter::Block),
                recorder(seen[1].clone(), bad),
            )
    })
    .await;
    running.steps("a", 0, 4).await;
    running.steps("b", 0, 4).await;
    running
        .until("SELECT count(*) FROM hookfast.dead_letters", 2)
        .await;
    running.until(PENDING, 2).await;
    // Deliveries behind the dead letter wait too, even after a sweep.
    running.steps("b", 5, 5).await;
    running.until("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'holds' AND state = 'waiting' AND ordering_key = 'b'", 3).await;
    running
        .execute("SELECT hookfast_data.wake_stalled_keys(id) FROM hookfast_data.handlers")
        .await;
    running.until(PENDING, 3).await;
    let done = |seen: &Mutex<Seen>, key: &str| seen.lock().expect("no panic").done[key].clone();
    assert_eq!(
        (done(&seen[0], "a"), done(&seen[1], "a")),
        (vec![0, 1, 2, 3, 4], vec![0, 1, 2, 3, 4])
    );
    assert_eq!(
        (done(&seen[0], "b"), done(&seen[1], "b")),
        (vec![0, 1, 3, 4, 5], vec![0, 1])
    );
    running.end().await;
}

/// An earlier backlog enters the order and leaves it again, with nothing lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_may_begin_and_cease_to_keep_order() {
    let database = database().await;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut unordered = ordered("shop", OnDeadLetter::Skip);
    unordered.policy.order = None;
    let all_fail = |_: Delivery| async { Outcome::retry_after("later", Duration::from_secs(1)) };
    let running = Running::start(&database, |builder| {
        declare(builder).handler(unordered.clone(), all_fail)
    })
    .await;
    running.steps("a", 0, 9).await;
    running
        .until(
            "SELECT count(*) FROM hookfast.deliveries WHERE attempts > 0",
            10,
        )
        .await;
    running.end().await;

    let never = |_: Delivery| async { Outcome::retry_after("later", Duration::from_secs(3600)) };
    let running = Running::start(&database, |builder| {
        declare(builder).handler(ordered("shop", OnDeadLetter::Skip), never)
    })
    .await;
    running
        .until(
            "SELECT count(*) FROM hookfast.deliveries WHERE state = 'waiting'",
            9,
        )
        .await;
    running.end().await;
    sqlx::query("UPDATE hookfast_data.outbox SET due_at = now() WHERE due_at < 'infinity'")
        .execute(&database.pool().await)
        .await
        .expect("due");

    let running = Running::start(&database, |builder| {
        declare(builder).handler(unordered, recorder(seen.clone(), |_| false))
    })
    .await;
    until_nothing_is_pending(&running).await;
    let mut steps = seen.lock().expect("no panic").done["a"].clone();
    steps.sort_unstable();
    assert_eq!(steps, (0..10).collect::<Vec<_>>());
    running.end().await;
}
