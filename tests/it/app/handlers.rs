//! A faulty handler affects only itself.

use super::{Running, source, subscription};
use crate::support::{airalo::order, postgres::database, wait_until};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Delivery, Outcome};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

async fn good(_: Delivery) -> Outcome {
    Outcome::Delivered
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_hangs_or_fails_delays_no_other() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut hangs = subscription("hangs");
        hangs.policy.timeout = Duration::from_millis(100);
        builder
            .source(source(Reject))
            .handler(subscription("good"), good)
            .handler(subscription("panics"), |_: Delivery| async {
                panic!("a \0 bug")
            })
            .handler(hangs, |_: Delivery| std::future::pending::<Outcome>())
            .handler(subscription("garbage"), |_: Delivery| async {
                Outcome::retry(format!("\0{}", "é".repeat(5000)))
            })
            .handler(subscription("refuses"), |_: Delivery| async {
                Outcome::dead("never")
            })
    })
    .await;
    for i in 0..20 {
        assert_eq!(
            running.post(&order(&format!("order-{i:019}"), i)).await.0,
            200
        );
    }
    running.until("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'good' AND state = 'delivered'", 21).await;
    // Four attempts each, and then they are dead letters.
    running
        .until("SELECT count(*) FROM hookfast.dead_letters", 4 * 21)
        .await;
    let reasons = "SELECT string_agg(DISTINCT handler || ':' || reason || ':' || attempts, ' ' ORDER BY handler || ':' || reason || ':' || attempts) FROM hookfast.dead_letters";
    assert_eq!(
        running.text(reasons).await,
        "garbage:attempts_exhausted:4 hangs:attempts_exhausted:4 panics:attempts_exhausted:4 refuses:rejected:1"
    );
    let kinds = "SELECT string_agg(DISTINCT handler || ':' || coalesce(error_kind, 'none'), ' ' ORDER BY handler || ':' || coalesce(error_kind, 'none')) FROM hookfast.attempts";
    assert_eq!(
        running.text(kinds).await,
        "garbage:handler good:none hangs:timeout panics:panic refuses:handler"
    );
    let error = |handler: &'static str| {
        sqlx::query_scalar::<_, String>(
            "SELECT min(error) FROM hookfast.attempts WHERE handler = $1",
        )
        .bind(handler)
    };
    let panicked = error("panics")
        .fetch_one(&running.pool)
        .await
        .expect("an error");
    assert_eq!(panicked, "the handler panicked: a \u{fffd} bug");
    let hung = error("hangs")
        .fetch_one(&running.pool)
        .await
        .expect("an error");
    assert_eq!(
        hung,
        "timed out after 100 ms: the handler did not end in this time (setting timeout)"
    );
    let garbage = error("garbage")
        .fetch_one(&running.pool)
        .await
        .expect("an error");
    assert!(
        garbage.starts_with('\u{fffd}') && garbage.len() <= 2000,
        "{} bytes",
        garbage.len()
    );
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast_data.outbox")
            .await,
        0
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_any_length_are_delivered_unchanged() {
    let database = database().await;
    let got: Arc<Mutex<Vec<Delivery>>> = Arc::default();
    let noted = got.clone();
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .handler(subscription("notes"), move |delivery: Delivery| {
                noted.lock().expect("no holder panics").push(delivery);
                async { Outcome::Delivered }
            })
    })
    .await;
    let mut sent: Vec<Vec<u8>> = [0, 1, 1000, 16 * 1024, 16 * 1024 + 1, 300_000, 1024 * 1024]
        .map(|length: usize| (0..length).map(|i| (i * 31 % 256) as u8).collect())
        .to_vec();
    sent.push(br#"{"deep":"#.repeat(2000));
    sent.push(br#"{"message":"Surpassed 50% of the credit limit balance","remaining":9007199254740993.000}"#.to_vec());
    for body in &sent {
        let (status, answer) = running.post(body).await;
        assert_eq!(
            (status, &answer["status"]),
            (200, &"stored".into()),
            "{} bytes",
            body.len()
        );
    }
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    let got = got.lock().expect("no holder panics").clone();
    for body in &sent {
        let found = got
            .iter()
            .find(|delivery| delivery.event.body == body[..])
            .expect("it arrived unchanged");
        let stored: Vec<u8> =
            sqlx::query_scalar("SELECT body FROM hookfast.events WHERE event_id = $1")
                .bind(found.event.id.0)
                .fetch_one(&running.pool)
                .await
                .expect("a body");
        assert_eq!(&stored, body);
    }
    let key = "SELECT idempotency_key FROM hookfast.events WHERE type = 'airalo.credit_limit.50'";
    assert_eq!(
        running.text(key).await,
        "credit_limit:50:9007199254740993.000",
        "as written, beyond 2^53"
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_handler_gets_nothing_until_it_is_resumed() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .handler(subscription("paused"), good)
            .handler(subscription("other"), good)
    })
    .await;
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    sqlx::query("SELECT hookfast.pause_handler('paused', 'a test')")
        .execute(&running.pool)
        .await
        .expect("paused");
    assert_eq!(
        running.post(&order("while-paused", 7)).await.0,
        200,
        "intake continues"
    );
    running.until("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'other' AND state = 'delivered'", 2).await;
    assert_eq!(
        running.count("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'paused' AND state = 'paused'").await,
        1
    );
    sqlx::query("SELECT hookfast.resume_handler('paused', why => 'a test')")
        .execute(&running.pool)
        .await
        .expect("resumed");
    running.until("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'paused' AND state = 'delivered'", 2).await;
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast_data.audit_log WHERE action IN ('handler.paused', 'handler.resumed')")
            .await,
        2
    );
    let unknown = sqlx::query("SELECT hookfast.pause_handler('nobody', 'x')")
        .execute(&running.pool)
        .await
        .expect_err("no such handler");
    assert!(
        unknown.to_string().contains("no handler is named nobody"),
        "{unknown}"
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_410_pauses_the_handler_and_uses_no_attempt() {
    let database = database().await;
    let gone = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_gone = gone.clone();
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .handler(subscription("gone"), move |_: Delivery| {
                let gone = is_gone.load(Ordering::Relaxed);
                async move {
                    if gone {
                        Outcome::EndpointGone {
                            error: "status 410".into(),
                        }
                    } else {
                        Outcome::Delivered
                    }
                }
            })
    })
    .await;
    running
        .until("SELECT count(*) FROM hookfast_data.handlers WHERE name = 'gone' AND paused_why = 'status 410'", 1)
        .await;
    running
        .until(
            "SELECT count(*) FROM hookfast.deliveries WHERE handler = 'gone' AND state = 'paused' AND attempts_left = 4",
            1,
        )
        .await;
    gone.store(false, Ordering::Relaxed);
    sqlx::query("SELECT hookfast.resume_handler('gone', why => 'a test')")
        .execute(&running.pool)
        .await
        .expect("resumed");
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.dead_letters")
            .await,
        0
    );
    running.end().await;
}

/// As after two processes that were killed for lack of memory: hundreds of deliveries may wait to
/// run one by one.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_lost_twice_run_one_by_one_and_block_no_other_handler() {
    let database = database().await;
    let at_once: Arc<Mutex<(usize, usize)>> = Arc::default();
    let (counted, go_on) = (at_once.clone(), Arc::new(tokio::sync::Semaphore::new(0)));
    let gate = go_on.clone();
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .handler(subscription("good"), good)
            .handler(subscription("lost"), move |_: Delivery| {
                let (counted, gate) = (counted.clone(), gate.clone());
                async move {
                    let begin = |now: &mut (usize, usize)| *now = (now.0 + 1, now.1.max(now.0 + 1));
                    begin(&mut counted.lock().expect("no holder panics"));
                    gate.acquire().await.expect("never closed").forget();
                    counted.lock().expect("no holder panics").0 -= 1;
                    Outcome::Delivered
                }
            })
    })
    .await;
    go_on.add_permits(1);
    running.until("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'lost' AND state = 'delivered'", 1).await;
    running
        .execute("SELECT hookfast.pause_handler('lost', 'until they were lost')")
        .await;
    for i in 0..10 {
        assert_eq!(
            running.post(&order(&format!("before-{i:018}"), i)).await.0,
            200
        );
    }
    running.execute("UPDATE hookfast_data.outbox o SET lost = 2 FROM hookfast_data.handlers h WHERE h.id = o.handler_id AND h.name = 'lost'").await;
    running
        .execute("SELECT hookfast.resume_handler('lost', why => 'a test')")
        .await;
    running
        .until(
            "SELECT count(*) FROM hookfast.backlog WHERE handler = 'lost' AND running > 0",
            1,
        )
        .await;
    wait_until("one of them to run", async || {
        at_once.lock().expect("no holder panics").0 == 1
    })
    .await;
    for i in 10..20 {
        assert_eq!(
            running.post(&order(&format!("after-{i:019}"), i)).await.0,
            200
        );
    }
    // None of the lost deliveries has ended.
    running.until("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'good' AND state = 'delivered'", 21).await;
    assert_eq!(*at_once.lock().expect("no holder panics"), (1, 1));
    // Waiting deliveries are not held, or they would be lost with this worker although they never
    // ran.
    running
        .until(
            "SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL AND lost >= 2",
            1,
        )
        .await;
    go_on.add_permits(1000);
    running.until("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'lost' AND state = 'delivered'", 21).await;
    running.end().await;
}

/// Each handler has its own memory for bodies that are fetched one by one.
#[tokio::test(flavor = "multi_thread")]
async fn long_bodies_of_a_handler_that_hangs_block_no_other_handler() {
    let database = database().await;
    let (entered, hang) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(tokio::sync::Semaphore::new(0)),
    );
    let (counted, gate) = (entered.clone(), hang.clone());
    let running = Running::start(&database, |builder| {
        let of = |name: &str| {
            let mut of = subscription(name);
            of.sources = Some(vec![name.parse().expect("a name")]);
            of
        };
        builder
            .source(source(Reject))
            .sql_source("hangs".parse().expect("a name"))
            .sql_source("good".parse().expect("a name"))
            .handler(of("good"), good)
            .handler(of("hangs"), move |_: Delivery| {
                let (counted, gate) = (counted.clone(), gate.clone());
                async move {
                    counted.fetch_add(1, Ordering::Relaxed);
                    gate.acquire().await.expect("never closed").forget();
                    Outcome::Delivered
                }
            })
    })
    .await;
    let enqueue = "SELECT hookfast.enqueue(s, 'a.b', to_jsonb(repeat('x', 1000000))) FROM generate_series(1, 20)";
    running.execute(&enqueue.replace("(s,", "('hangs',")).await;
    wait_until("as many as have room", async || {
        entered.load(Ordering::Relaxed) == 8
    })
    .await;
    running.execute(&enqueue.replace("(s,", "('good',")).await;
    running.until("SELECT count(*) FROM hookfast.deliveries WHERE handler = 'good' AND state = 'delivered'", 20).await;
    assert_eq!(
        entered.load(Ordering::Relaxed),
        8,
        "the bytes held at once are bounded"
    );
    hang.add_permits(20);
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    running.end().await;
}

/// However this state arose, nothing else looks for the delivery.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_lease_was_deleted_is_found_after_a_start() {
    let database = database().await;
    let stays = |_: Delivery| async { Outcome::retry_after("later", Duration::from_secs(3600)) };
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .handler(subscription("shop"), stays)
    })
    .await;
    running
        .until(
            "SELECT count(*) FROM hookfast.deliveries WHERE state = 'retrying'",
            1,
        )
        .await;
    running.end().await;
    sqlx::raw_sql(
        "UPDATE hookfast_data.outbox SET lease_id = 1000000, attempt_number = attempt_number + 1",
    )
    .execute(&mut database.connect().await)
    .await
    .expect("orphaned");
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .handler(subscription("shop"), good)
    })
    .await;
    running
        .until(
            "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'",
            1,
        )
        .await;
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    running.end().await;
}
