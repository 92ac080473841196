//! Bodies: too large, too slow, too many at once.

use super::fakes::{GOOD, Server};
use crate::support::raw_http::{Client, in_time, request};
use hookfast::internals::domain::IngressLimits;
use std::time::{Duration, Instant};

/// More than the share of every body, so that these compete for `bodies_in_flight`.
const LARGE: usize = 100_000;

fn large() -> IngressLimits {
    IngressLimits {
        body_bytes: 2 * LARGE,
        bodies_in_flight: LARGE + LARGE / 2,
        ..IngressLimits::default()
    }
}

fn small() -> IngressLimits {
    IngressLimits {
        body_bytes: 10_000,
        ..IngressLimits::default()
    }
}

fn head(declared: &str) -> String {
    format!("POST /webhooks/fixed HTTP/1.1\r\nhost: h\r\nx-signature: good\r\n{declared}\r\n\r\n")
}

/// Asserts that an answer ended the connection.
async fn ends(mut client: Client) {
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn a_body_at_the_limit_is_accepted_and_one_byte_more_is_413() {
    let server = Server::start(small()).await;
    let mut client = server.connect().await;
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], &[7; 10_000]))
        .await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(server.intake.stored()[0].body.len(), 10_000);
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], &[7; 10_001]))
        .await;
    client.answer().await.problem(413, "too-large");
    ends(client).await;
}

#[tokio::test]
async fn a_huge_declared_length_is_413_before_a_byte_of_it() {
    let server = Server::start(small()).await;
    for length in ["10001", "99999999999999"] {
        let mut client = server.connect().await;
        client
            .send(head(&format!("content-length: {length}")))
            .await;
        client.answer().await.problem(413, "too-large");
        ends(client).await;
    }
}

#[tokio::test]
async fn a_sender_that_continues_sending_still_gets_to_read_its_413() {
    let server = Server::start(small()).await;
    let mut client = server.connect().await;
    client.send(head("content-length: 4000000")).await;
    for _ in 0..100 {
        // The server may have stopped reading; only the answer matters.
        if client.try_send(vec![0; 40_000]).await.is_err() {
            break;
        }
    }
    client.answer().await.problem(413, "too-large");
}

#[tokio::test]
async fn chunks_are_counted_as_they_arrive() {
    let server = Server::start(small()).await;
    let mut client = server.connect().await;
    client.send(head("transfer-encoding: chunked")).await;
    client
        .send("5\r\nhello\r\n6; ext=1\r\n world\r\n0\r\ntrailer: x\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(&server.intake.stored()[0].body[..], b"hello world");

    client.send(head("transfer-encoding: chunked")).await;
    for _ in 0..3 {
        client
            .send(format!("fa0\r\n{}\r\n", "x".repeat(4000)))
            .await;
    }
    client.answer().await.problem(413, "too-large");
    ends(client).await;
}

#[tokio::test]
async fn malformed_chunks_and_bodies_that_end_early_are_400() {
    let server = Server::start(small()).await;
    for chunk in ["zz\r\n", "ffffffffffffffffff\r\n", "5\r\nhelloX\r\n"] {
        let mut client = server.connect().await;
        client.send(head("transfer-encoding: chunked")).await;
        client.send(chunk).await;
        client.answer().await.problem(400, "broken-body");
    }
    let mut client = server.connect().await;
    client.send(head("content-length: 10")).await;
    client.send("half").await;
    client.finish().await;
    client.answer().await.problem(400, "broken-body");
    assert!(
        server.intake.stored().is_empty(),
        "half a body is never stored"
    );
}

#[tokio::test]
async fn a_slow_body_is_408_in_time() {
    let body_time = Duration::from_millis(300);
    let server = Server::start(IngressLimits {
        body_time,
        ..small()
    })
    .await;
    let mut client = server.connect().await;
    let start = Instant::now();
    client.send(head("content-length: 100")).await;
    client.send("a few bytes").await;
    client.answer().await.problem(408, "too-slow");
    assert!(start.elapsed() >= body_time);
    ends(client).await;
    server.is_well().await;
}

#[tokio::test]
async fn a_body_below_the_least_rate_is_408_long_before_its_time() {
    let server = Server::start(IngressLimits {
        body_time: Duration::from_secs(600),
        body_rate: 100,
        ..small()
    })
    .await;
    let (mut slow, mut steady) = (server.connect().await, server.connect().await);
    let start = Instant::now();
    slow.send(head("content-length: 1000")).await;
    steady.send(head("content-length: 1000")).await;
    let (_, refused) = tokio::join!(
        async {
            for _ in 0..10 {
                steady.send([b'x'; 100]).await;
                // 125 bytes a second, a little more than the minimum rate.
                tokio::time::sleep(Duration::from_millis(800)).await;
            }
        },
        slow.answer(),
    );
    refused.problem(408, "too-slow");
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        steady.answer().await.status,
        200,
        "the body takes this long, at the minimum rate"
    );
    ends(slow).await;
}

#[tokio::test]
async fn large_bodies_have_a_common_bound_and_release_their_memory() {
    let server = Server::start(large()).await;
    server.intake.close_gate();
    let mut first = server.connect().await;
    first
        .send(request("POST", "/webhooks/fixed", &[GOOD], &[1; LARGE]))
        .await;
    server.intake.waiting(1).await;

    let mut second = server.connect().await;
    second
        .send(request("POST", "/webhooks/fixed", &[GOOD], &[2; LARGE]))
        .await;
    second.answer().await.problem(503, "no-room");
    let mut third = server.connect().await;
    third
        .send(request("POST", "/webhooks/fixed", &[GOOD], &[3; 60_000]))
        .await;
    server.intake.waiting(2).await;

    server.intake.open_gate();
    assert_eq!(
        (first.answer().await.status, third.answer().await.status),
        (200, 200)
    );
    server.intake.forget();
    let mut again = server.connect().await;
    again
        .send(request("POST", "/webhooks/fixed", &[GOOD], &[2; LARGE]))
        .await;
    assert_eq!(again.answer().await.status, 200);
}

#[tokio::test]
async fn large_bodies_do_not_use_the_memory_reserved_for_small_ones() {
    let server = Server::start(IngressLimits {
        bodies_in_flight: 0,
        connections: 4,
        ..large()
    })
    .await;
    server.intake.close_gate();
    let mut clients = vec![];
    for n in 1..=4 {
        let mut client = server.connect().await;
        client
            .send(request("POST", "/webhooks/fixed", &[GOOD], &[n; 64 * 1024]))
            .await;
        server.intake.waiting(n.into()).await;
        clients.push(client);
    }
    server.intake.open_gate();
    for client in &mut clients {
        assert_eq!(client.answer().await.status, 200);
    }
    let mut large = server.connect().await;
    large
        .send(request(
            "POST",
            "/webhooks/fixed",
            &[GOOD],
            &[5; 64 * 1024 + 1],
        ))
        .await;
    large.answer().await.problem(503, "no-room");
}

#[tokio::test]
async fn a_declared_length_reserves_no_memory_before_its_bytes_arrive() {
    let server = Server::start(large()).await;
    let mut slow = server.connect().await;
    slow.send(head("content-length: 150000")).await;
    slow.send("begun").await;
    let mut other = server.connect().await;
    other
        .send(request("POST", "/webhooks/fixed", &[GOOD], &[1; LARGE]))
        .await;
    assert_eq!(other.answer().await.status, 200);
}

#[tokio::test]
async fn the_large_body_with_the_least_progress_is_evicted_for_another() {
    let server = Server::start(large()).await;
    let mut stalled = server.connect().await;
    stalled.send(head("content-length: 100000")).await;
    stalled.send(vec![1; LARGE - 1]).await;
    let other_takes_over = async {
        loop {
            let mut other = server.connect().await;
            other
                .send(request("POST", "/webhooks/fixed", &[GOOD], &[2; LARGE]))
                .await;
            assert_eq!(other.answer().await.status, 200);
            server.intake.forget();
            if server
                .seen
                .answers
                .lock()
                .expect("not poisoned")
                .contains(&("fixed".to_owned(), 503, "evicted"))
            {
                break;
            }
        }
    };
    in_time("the stalled body is evicted", other_takes_over).await;
    stalled.answer().await.problem(503, "evicted");
}

#[tokio::test]
async fn expect_continue_is_answered_only_if_the_body_is_wanted() {
    let server = Server::start(small()).await;
    let mut client = server.connect().await;
    client
        .send(head("content-length: 5\r\nexpect: 100-continue"))
        .await;
    assert!(client.interim().await.starts_with("HTTP/1.1 100 "));
    client.send("hello").await;
    assert_eq!(client.answer().await.status, 200);

    client
        .send(head("content-length: 50000\r\nexpect: 100-continue"))
        .await;
    client.answer().await.problem(413, "too-large");
}

#[tokio::test]
async fn large_headers_have_a_bound_too_and_usual_ones_a_reserve() {
    let server = Server::start(IngressLimits {
        headers_in_flight: 40_000,
        connections: 8,
        ..small()
    })
    .await;
    server.intake.close_gate();
    let large = "y".repeat(15_000);
    let mut first = server.connect().await;
    first
        .send(request(
            "POST",
            "/webhooks/fixed",
            &[GOOD, ("x", &large)],
            b"1",
        ))
        .await;
    server.intake.waiting(1).await;
    let mut second = server.connect().await;
    second
        .send(request(
            "POST",
            "/webhooks/fixed",
            &[GOOD, ("x", &large)],
            b"2",
        ))
        .await;
    second.answer().await.problem(503, "no-room");
    let mut usual = server.connect().await;
    usual
        .send(request(
            "POST",
            "/webhooks/fixed",
            &[GOOD, ("x", &large[..7000])],
            b"3",
        ))
        .await;
    server.intake.waiting(2).await;

    server.intake.open_gate();
    assert_eq!(
        (first.answer().await.status, usual.answer().await.status),
        (200, 200)
    );
    let mut again = server.connect().await;
    again
        .send(request(
            "POST",
            "/webhooks/fixed",
            &[GOOD, ("x", &large)],
            b"2",
        ))
        .await;
    assert_eq!(again.answer().await.status, 200);
}
