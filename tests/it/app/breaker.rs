//! While a handler cannot be reached, its backlog waits and uses up no attempts.

use super::{Running, source, subscription};
use crate::support::{postgres::database, server::HANDLER_SECRET, sink::Sink, wait_until};
use axum::http::StatusCode;
use hookfast::internals::dev::receiver::Mode;
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Breaker, Delivery, HttpHandlerSettings, Outcome, RetryPolicy};
use hookfast::internals::handlers::HttpHandler;
use hookfast::internals::signing::standard_webhooks::parse_secret;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// Opens after five failures, and probes quickly for a test.
fn breaker() -> Option<Breaker> {
    Some(Breaker {
        after: 5,
        pause: Duration::from_millis(200),
        max_pause: Duration::from_millis(400),
    })
}

pub(super) fn http_to(sink: &Sink) -> Arc<HttpHandler> {
    let settings = HttpHandlerSettings {
        url: format!("http://{}/", sink.address),
        secrets: vec![parse_secret("test", HANDLER_SECRET).expect("a secret")],
        timeout: Duration::from_secs(60),
        allow_private: true,
        headers: vec![],
        forward_headers: vec![],
        dead_on: vec![],
    };
    Arc::new(HttpHandler::new(settings).expect("a handler"))
}

const ENQUEUE: &str =
    "SELECT hookfast.enqueue('jobs', 'job', to_jsonb(n)) FROM generate_series(1, 100) n";
const OPEN: &str = "SELECT count(*) FROM hookfast_data.handlers WHERE name = 'sink' AND breaker_opened_at <= clock_timestamp() AND breaker_until >= breaker_opened_at";
const UNTOUCHED: &str = "SELECT count(*) FROM hookfast.deliveries WHERE handler = 'sink' AND attempts_left = 4 AND state = 'ready'";

#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_of_an_unavailable_receiver_is_delivered_when_it_is_back() {
    let (database, sink) = (database().await, Sink::start().await);
    sink.mode.set(Mode::Fail(StatusCode::SERVICE_UNAVAILABLE));
    let running = Running::start(&database, |builder| {
        let mut pushed = subscription("sink");
        pushed.types = vec!["job".parse().expect("a pattern")];
        pushed.policy.concurrency = 2;
        pushed.policy.breaker = breaker();
        // A delivery that was attempted is not retried in this test.
        pushed.policy.retry = RetryPolicy::Delays(vec![Duration::from_secs(3600); 3]);
        let mut other = pushed.clone();
        other.name = "other".parse().expect("a name");
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .http_handler(pushed, http_to(&sink))
            .handler(other, |_: Delivery| async { Outcome::Delivered })
    })
    .await;
    running.execute(ENQUEUE).await;
    running.until(OPEN, 1).await;
    let counted = "SELECT coalesce(sum(value), 0)::bigint FROM hookfast_data.rollups WHERE subject = 'handler:sink' AND counter = 'breaker_opened'";
    wait_until("some probes", async || sink.requests() >= 9).await;
    running
        .until("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'other' AND state = 'delivered'", 100)
        .await;
    running.until(counted, 1).await;

    sink.mode.set(Mode::Ok);
    let delivered =
        "SELECT count(*) FROM hookfast.deliveries WHERE handler = 'sink' AND state = 'delivered'";
    let tried = "SELECT count(*) FROM hookfast.deliveries WHERE handler = 'sink' AND state = 'retrying' AND attempts_left = 3";
    running.until(UNTOUCHED, 0).await;
    running.until(OPEN, 0).await;
    wait_until("everything that was not tried before", async || {
        running.count(delivered).await + running.count(tried).await == 100
    })
    .await;
    // Five attempts to open it, one more that was running, and the probes: one after 200 ms and
    // then every 400 ms.
    let failed = running.count(tried).await;
    assert!(
        (9..60).contains(&failed),
        "{failed} of 100 were attempted in vain"
    );
    assert_eq!(sink.requests(), 100, "each event once");
    let shown = "SELECT count(*) FROM hookfast_data.handlers WHERE breaker_opened_at IS NOT NULL OR breaker_until IS NOT NULL";
    running.until(shown, 0).await;
    running.end().await;
}

/// Claimed deliveries that have not begun are released unchanged.
#[tokio::test(flavor = "multi_thread")]
async fn unstarted_claimed_deliveries_are_released_without_an_attempt() {
    let database = database().await;
    let (calls, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (called, through) = (calls.clone(), gate.clone());
    let running = Running::start(&database, |builder| {
        let mut away = subscription("sink");
        away.types = vec!["job".parse().expect("a pattern")];
        away.policy.concurrency = 1;
        away.policy.breaker = Some(Breaker {
            after: 1,
            pause: Duration::from_secs(60),
            max_pause: Duration::from_secs(60),
        });
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .handler(away, move |_: Delivery| {
                called.fetch_add(1, Ordering::Relaxed);
                let gate = through.clone();
                async move {
                    gate.acquire().await.expect("open").forget();
                    Outcome::unavailable("receiver unavailable")
                }
            })
    })
    .await;
    running.execute(ENQUEUE).await;
    const HELD: &str = "SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL";
    running.until(HELD, 2).await;
    gate.add_permits(1);
    running.until(OPEN, 1).await;
    running.until(HELD, 0).await;
    // The other claimed delivery keeps its attempts and has no attempt in its history.
    let released =
        "SELECT count(*) FROM hookfast_data.outbox WHERE attempt_number = 1 AND attempts_left = 4";
    running.until(released, 1).await;
    running
        .until(
            "SELECT count(*) FROM hookfast.attempts WHERE error = 'receiver unavailable'",
            1,
        )
        .await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(running.count(UNTOUCHED).await, 99);
    running.end().await;
}

/// A handler that rejects events is available, and its circuit breaker stays closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_bad_events_opens_nothing() {
    let (database, sink) = (database().await, Sink::start().await);
    sink.mode.set(Mode::Fail(StatusCode::UNPROCESSABLE_ENTITY));
    let running = Running::start(&database, |builder| {
        let mut pushed = subscription("sink");
        pushed.types = vec!["job".parse().expect("a pattern")];
        pushed.policy.breaker = breaker();
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .http_handler(pushed, http_to(&sink))
    })
    .await;
    running.execute(ENQUEUE).await;
    running
        .until("SELECT count(*) FROM hookfast.dead_letters WHERE reason = 'attempts_exhausted' AND attempts = 4", 100)
        .await;
    assert_eq!((sink.requests(), running.count(OPEN).await), (400, 0));
    running.end().await;
}
