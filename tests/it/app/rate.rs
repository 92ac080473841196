//! A handler with a rate starts deliveries no faster, and a delivery that may not start yet is not
//! claimed.

use super::{Running, source, subscription};
use crate::support::{postgres::database, wait_until};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Delivery, Outcome, Rate};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Per second.
const RATE: f64 = 20.0;

/// The deliveries of a quarter of a second.
const BURST: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn no_more_are_started_than_the_rate_allows_and_the_rest_is_not_claimed() {
    let database = database().await;
    let (started, unhurried): (Arc<Mutex<Vec<Instant>>>, Arc<Mutex<usize>>) = Default::default();
    let (noted, counted) = (started.clone(), unhurried.clone());
    let running = Running::start(&database, |builder| {
        let mut slow = subscription("slow");
        slow.types = vec!["job".parse().expect("a pattern")];
        slow.policy.rate = Some(Rate::per_second(RATE).expect("a rate"));
        let mut other = slow.clone();
        other.name = "other".parse().expect("a name");
        other.policy.rate = None;
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .handler(slow, move |_: Delivery| {
                noted.lock().expect("no panic").push(Instant::now());
                async { Outcome::Delivered }
            })
            .handler(other, move |_: Delivery| {
                *counted.lock().expect("no panic") += 1;
                async { Outcome::Delivered }
            })
    })
    .await;
    running
        .execute(
            "SELECT hookfast.enqueue('jobs', 'job', to_jsonb(n)) FROM generate_series(1, 60) n",
        )
        .await;
    wait_until(
        "the handler without a rate to have everything",
        async || *unhurried.lock().expect("no panic") == 60,
    )
    .await;
    // A claimed delivery has an attempt number. It starts at once, so waiting deliveries have none.
    let claimed = "SELECT count(*) FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id \
        WHERE h.name = 'slow' AND o.attempt_number > 0";
    let mut left = 60;
    while left > 0 {
        let held = running.count(claimed).await;
        assert!(
            held <= 2 * BURST as i64,
            "{held} are claimed at a rate of {RATE} a second"
        );
        left = running
            .count("SELECT count(*) FROM hookfast_data.outbox")
            .await;
        // Every sample is checked, until the outbox is empty.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let started = started.lock().expect("no panic").clone();
    assert_eq!(started.len(), 60);
    // A start may be recorded late and so be near the next one, by the delay of this machine.
    let share = (60 - 1 - BURST) as f64 / RATE;
    let took = started[59].duration_since(started[0]).as_secs_f64();
    assert!(
        took >= share - 0.5,
        "60 deliveries at {RATE} a second took {took} s"
    );
    // The rate is also reached: nothing else delays the deliveries.
    assert!(
        took < 3.0 * share,
        "60 deliveries at {RATE} a second took {took} s"
    );
    assert_eq!(
        running
            .count("SELECT max(attempt_number)::bigint FROM hookfast.attempts")
            .await,
        1,
        "none was released"
    );
    running.end().await;
}

/// With one free slot, each claim reads only one of the two index ranges, and all waiting
/// deliveries are in the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_with_one_slot_does_not_idle_while_the_other_kind_is_full() {
    let database = database().await;
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = times.clone();
    let running = Running::start(&database, |builder| {
        let mut single = subscription("single");
        single.types = vec!["job".parse().expect("a pattern")];
        single.policy.concurrency = 1;
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .handler(single, move |_: Delivery| {
                noted.lock().expect("no panic").push(Instant::now());
                async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Outcome::Delivered
                }
            })
    })
    .await;
    running
        .execute(
            "SELECT hookfast.enqueue('jobs', 'job', to_jsonb(n)) FROM generate_series(1, 60) n",
        )
        .await;
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    let times = times.lock().expect("no panic").clone();
    let took = times[59].duration_since(times[0]);
    // 1.2 s of work; a rest is a second.
    assert!(
        took < Duration::from_secs(8),
        "60 deliveries of 20 ms took {took:?}"
    );
    running.end().await;
}
