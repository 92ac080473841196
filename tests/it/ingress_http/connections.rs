//! Connections: silent, slow, too many, cut.

use super::fakes::{GOOD, Server};
use crate::support::raw_http::{Client, in_time, request};
use hookfast::internals::domain::IngressLimits;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(300);

fn short_heads() -> IngressLimits {
    IngressLimits {
        header_time: SHORT,
        ..IngressLimits::default()
    }
}

#[tokio::test]
async fn a_silent_connection_is_closed_in_time() {
    let server = Server::start(short_heads()).await;
    let (mut client, start) = (server.connect().await, Instant::now());
    assert_eq!(client.closed().await, b"");
    assert!(start.elapsed() >= SHORT / 2, "not before its time");
}

#[tokio::test]
async fn half_a_head_is_closed_in_time_and_single_bytes_do_not_extend_it() {
    let server = Server::start(short_heads()).await;
    for half in [
        "P",
        "POST /webhooks/fixed HT",
        "POST /webhooks/fixed HTTP/1.1\r\nx: y\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(half).await;
        assert_eq!(client.closed().await, b"", "{half}");
    }
    let (mut client, start) = (server.connect().await, Instant::now());
    client.send("POST /webhooks/fixed HTTP/1.1\r\n").await;
    while client.try_send("x: y\r\n").await.is_ok() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "kept open by slow bytes"
        );
        client.stays_open(Duration::from_millis(20)).await;
    }
    server.is_well().await;
}

#[tokio::test]
async fn the_idle_timeout_applies_between_requests_and_the_head_timeout_after() {
    let server = Server::start(short_heads()).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client
            .send(request("HEAD", "/webhooks/fixed", &[], b""))
            .await;
        assert_eq!(client.answer_to_head().await.status, 200);
        assert!(
            client.stays_open(3 * SHORT).await,
            "an idle connection is allowed"
        );
    }
    let start = Instant::now();
    client.send("POST /webho").await;
    assert_eq!(client.closed().await, b"");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "not the 75 s of an idle connection"
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let server = Server::start(IngressLimits {
        idle_time: SHORT,
        ..IngressLimits::default()
    })
    .await;
    let mut client = server.connect().await;
    client
        .send(request("HEAD", "/webhooks/fixed", &[], b""))
        .await;
    assert_eq!(client.answer_to_head().await.status, 200);
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn a_connection_is_reused_and_http_1_0_is_closed() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    for n in 0..200 {
        client
            .send(request(
                "POST",
                "/webhooks/fixed",
                &[GOOD],
                format!("{n}").as_bytes(),
            ))
            .await;
        assert_eq!(client.answer().await.status, 200);
    }
    client
        .send("POST /webhooks/fixed HTTP/1.0\r\nx-signature: good\r\ncontent-length: 1\r\n\r\nx")
        .await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn a_sender_that_closes_its_side_still_gets_its_response() {
    let server = Server::start(IngressLimits::default()).await;
    server.intake.close_gate();
    let mut client = server.connect().await;
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], b"x"))
        .await;
    client.finish().await;
    server.intake.waiting(1).await;
    server.intake.open_gate();
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn resets_at_any_point_affect_no_other_request() {
    let server = Server::start(IngressLimits::default()).await;
    let whole = request("POST", "/webhooks/fixed", &[GOOD], &[1; 2000]);
    for n in 0..200 {
        let mut client = server.connect().await;
        client.send(&whole[..n * whole.len() / 200]).await;
        client.reset();
    }
    assert!(server.intake.stored().is_empty(), "none was complete");

    server.intake.close_gate();
    for n in 1..=20 {
        let mut client = server.connect().await;
        client.send(&whole).await;
        server.intake.waiting(n).await;
        client.reset();
    }
    server.intake.open_gate();
    server.is_well().await;
}

/// Opens a connection and gets one request answered on it.
async fn answered_once(server: &Server) -> Client {
    let mut client = server.connect().await;
    client
        .send(request("HEAD", "/webhooks/fixed", &[], b""))
        .await;
    assert_eq!(client.answer_to_head().await.status, 200);
    client
}

#[tokio::test]
async fn at_the_limit_the_longest_idle_connection_is_closed_for_a_new_one() {
    let server = Server::start(IngressLimits {
        connections: 3,
        ..IngressLimits::default()
    })
    .await;
    let mut first = answered_once(&server).await;
    let mut second = answered_once(&server).await;
    let mut third = answered_once(&server).await;
    first
        .send(request("HEAD", "/webhooks/fixed", &[], b""))
        .await;
    assert_eq!(
        first.answer_to_head().await.status,
        200,
        "now the second is idle for longest"
    );

    server.is_well().await;
    assert_eq!(second.closed().await, b"");
    assert_eq!(server.seen.unserved_for("-", "idle_evicted"), 1);
    for client in [&mut first, &mut third] {
        client
            .send(request("POST", "/webhooks/fixed", &[GOOD], b"x"))
            .await;
        assert_eq!(client.answer().await.status, 200, "the others continue");
    }
}

#[tokio::test]
async fn at_the_limit_a_slow_body_gets_503_and_a_slow_head_too() {
    let server = Server::start(IngressLimits {
        connections: 1,
        ..IngressLimits::default()
    })
    .await;
    let mut slow = server.connect().await;
    slow.send(
        "POST /webhooks/fixed HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n",
    )
    .await;
    assert!(
        slow.interim().await.starts_with("HTTP/1.1 100 "),
        "its body is awaited"
    );
    server.is_well().await;
    let answer = slow.answer().await;
    answer.problem(503, "evicted");
    assert_eq!(answer.header("connection"), Some("close"));
    slow.may_finish(tokio::time::Instant::now()).await;
    let seen = server.seen.answers.lock().expect("not poisoned").clone();
    assert!(
        seen.contains(&("fixed".to_owned(), 503, "evicted")),
        "{seen:?}"
    );

    let refused_head = async {
        loop {
            let mut half = server.connect().await;
            half.send("POST /webhooks/fixed HTTP/1.1\r\nx:").await;
            server.is_well().await;
            // Otherwise it was closed before its first bytes were read.
            if server.seen.unserved_for("fixed", "evicted") == 1 {
                break half.answer().await;
            }
        }
    };
    in_time("a head that was begun", refused_head)
        .await
        .problem(503, "too-many-connections");
}

#[tokio::test]
async fn a_request_that_is_being_stored_is_never_closed_for_another() {
    let server = Server::start(IngressLimits {
        connections: 2,
        ..IngressLimits::default()
    })
    .await;
    server.intake.close_gate();
    let mut handled = vec![];
    for n in 1..=2 {
        let mut client = server.connect().await;
        client
            .send(request(
                "POST",
                "/webhooks/fixed",
                &[GOOD],
                format!("{n}").as_bytes(),
            ))
            .await;
        server.intake.waiting(n).await;
        handled.push(client);
    }
    let mut third = server.connect().await;
    third
        .send(request("POST", "/webhooks/fixed", &[GOOD], &[1; 5000]))
        .await;
    let answer = third.answer().await;
    answer.problem(503, "too-many-connections");
    assert_eq!(answer.header("connection"), Some("close"));
    third.may_finish(tokio::time::Instant::now()).await;
    let mut silent = server.connect().await;
    silent.answer().await.problem(503, "too-many-connections");
    assert_eq!(server.seen.unserved_for("-", "no_connection"), 2);

    server.intake.open_gate();
    for client in &mut handled {
        assert_eq!(client.answer().await.status, 200);
    }
    server.is_well().await;
}

#[tokio::test]
async fn a_connection_that_reads_no_response_or_lingers_may_be_evicted() {
    let server = Server::start(IngressLimits {
        connections: 1,
        ..IngressLimits::default()
    })
    .await;
    let mut deaf = server.connect().await;
    for _ in 0..2000 {
        // More answers than fit into the kernel's buffers: the server stops reading at some point.
        let sent = tokio::time::timeout(
            Duration::from_millis(200),
            deaf.try_send(request("GET", "/", &[], b"")),
        )
        .await;
        if !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
    server.is_well().await;
    let mut refused = server.connect().await;
    refused.send("no HTTP\r\n\r\n").await;
    assert_eq!(refused.answer().await.status, 400);
    let start = Instant::now();
    server.is_well().await;
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "it did not wait for the other connection's linger of a second"
    );
}

#[tokio::test]
async fn a_flood_of_connections_is_closed_and_forgotten() {
    let server = Server::start(IngressLimits {
        connections: 8,
        ..short_heads()
    })
    .await;
    let mut flood = vec![];
    for _ in 0..400 {
        flood.push(Client::connect(server.address).await);
    }
    server.is_well().await;
    for mut client in flood {
        let printed = client.closed().await;
        assert!(
            printed.is_empty() || printed.starts_with(b"HTTP/1.1 503 "),
            "{}",
            String::from_utf8_lossy(&printed)
        );
    }
    let closed = server.seen.unserved_for("-", "idle_evicted");
    assert!(
        closed >= 392,
        "{closed} were closed to make room for others"
    );
    server.is_well().await;
}

#[tokio::test]
async fn slow_bodies_closed_for_others_are_each_counted_for_their_source() {
    let server = Server::start(IngressLimits {
        connections: 100,
        ..IngressLimits::default()
    })
    .await;
    let mut slow = vec![];
    for _ in 0..100 {
        let mut client = server.connect().await;
        client.send("POST /webhooks/fixed HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n").await;
        assert!(
            client.interim().await.starts_with("HTTP/1.1 100 "),
            "its body is awaited"
        );
        slow.push(client);
    }
    let _newer = futures_util::future::join_all((0..100).map(|_| server.connect())).await;
    for client in &mut slow {
        let printed = client.closed().await;
        assert!(
            printed.is_empty() || printed.starts_with(b"HTTP/1.1 503 "),
            "{}",
            String::from_utf8_lossy(&printed)
        );
    }
    let answered = server
        .seen
        .answers
        .lock()
        .expect("not poisoned")
        .iter()
        .filter(|seen| seen.2 == "evicted")
        .count();
    let unanswered = server.seen.unserved_for("fixed", "evicted");
    assert_eq!(
        answered + unanswered,
        100,
        "{answered} with an answer, {unanswered} without"
    );
}
