//! Malicious and meaningless bytes.

use super::fakes::{GOOD, Server};
use crate::support::raw_http::request;
use hookfast::internals::domain::IngressLimits;
use std::time::Duration;
use tokio::time::Instant;

/// The answers of hyper itself: a status, no body, and the end of the connection.
async fn is_refused(server: &Server, bytes: impl AsRef<[u8]>, status: u16) {
    let mut client = server.connect().await;
    let _ = client.try_send(&bytes).await;
    let answer = client.answer().await;
    let sent =
        String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(80)]).into_owned();
    assert_eq!((answer.status, answer.body.len()), (status, 0), "{sent:?}");
    assert_eq!(client.closed().await, b"", "{sent:?}");
}

#[tokio::test]
async fn bytes_that_are_not_http_are_400_and_harmless() {
    let server = Server::start(IngressLimits::default()).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n"[..],
        b"\0\0\0\0\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"POST\r\n\r\n",
        b"POST /webhooks/fixed\r\n\r\n",
        b"POST /webhooks/fixed HTTP/9.9\r\n\r\n",
        b"POST /webhooks/\0 HTTP/1.1\r\n\r\n",
        b"POST /webhooks/fixed HTTP/1.1\r\nx-nul: a\0b\r\n\r\n",
        b"POST /webhooks/fixed HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /webhooks/fixed HTTP/1.1\r\nb\xe4d: x\r\n\r\n",
        b"POST /webhooks/fixed HTTP/1.1\r\n folded: x\r\n\r\n",
        b"POST /webhooks/fixed HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /webhooks/fixed HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\n",
        b"POST /webhooks/fixed HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST /webhooks/fixed HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST /webhooks/fixed HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        is_refused(&server, garbage, 400).await;
    }
    // HTTP/2 is not supported: its preface is not answered, the connection is only closed.
    let mut client = server.connect().await;
    client
        .send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    client.closed().await;
    server.is_well().await;
}

#[tokio::test]
async fn too_many_and_too_large_headers_are_431() {
    let server = Server::start(IngressLimits::default()).await;
    let start = "POST /webhooks/fixed HTTP/1.1\r\n";
    is_refused(
        &server,
        format!("{start}{}\r\n", "x: y\r\n".repeat(5000)),
        431,
    )
    .await;
    is_refused(
        &server,
        format!("{start}x: {}\r\n\r\n", "y".repeat(33_000)),
        431,
    )
    .await;
    is_refused(&server, format!("{start}x: {}", "y".repeat(40_000)), 431).await;
    is_refused(
        &server,
        format!(
            "POST /webhooks/fixed?{} HTTP/1.1\r\n\r\n",
            "y".repeat(40_000)
        ),
        431,
    )
    .await;

    let large = "y".repeat(31_000);
    let mut client = server.connect().await;
    client
        .send(request(
            "POST",
            "/webhooks/fixed",
            &[GOOD, ("x", &large)],
            b"x",
        ))
        .await;
    assert_eq!(client.answer().await.status, 200, "below the limit");
}

#[tokio::test]
async fn requests_rejected_while_parsing_are_counted_for_their_source() {
    let limits = IngressLimits {
        header_bytes: 80_000,
        header_time: Duration::from_millis(300),
        ..IngressLimits::default()
    };
    let server = Server::start(limits).await;
    let start = "POST /webhooks/fixed/orders HTTP/1.1\r\n";
    is_refused(
        &server,
        format!("{start}{}\r\n", "x: y\r\n".repeat(101)),
        431,
    )
    .await;
    is_refused(
        &server,
        format!("{start}x: {}\r\n\r\n", "y".repeat(90_000)),
        431,
    )
    .await;
    is_refused(
        &server,
        format!(
            "POST /webhooks/fixed?{} HTTP/1.1\r\n\r\n",
            "y".repeat(70_000)
        ),
        414,
    )
    .await;
    is_refused(&server, format!("{start}no colon\r\n\r\n"), 400).await;
    is_refused(
        &server,
        "POST /webhooks/nobody HTTP/1.1\r\nno colon\r\n\r\n",
        400,
    )
    .await;
    let (mut slow, mut silent) = (server.connect().await, server.connect().await);
    slow.send(start).await;
    assert_eq!(
        (slow.closed().await, silent.closed().await),
        (vec![], vec![])
    );

    let mut seen = server.seen.unserved.lock().expect("not poisoned").clone();
    seen.sort();
    let expected = [
        ("-", "malformed"),
        ("fixed", "address_too_long"),
        ("fixed", "headers_too_large"),
        ("fixed", "headers_too_slow"),
        ("fixed", "malformed"),
        ("fixed", "too_many_headers"),
    ];
    assert_eq!(
        seen,
        expected.map(|(source, reason)| (source.to_owned(), reason))
    );
}

#[tokio::test]
async fn requests_rejected_on_a_reused_connection_are_counted_too() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], b"x"))
        .await;
    assert_eq!(client.answer().await.status, 200);
    client
        .send(format!(
            "POST /webhooks/kept HTTP/1.1\r\n{}\r\n",
            "x: y\r\n".repeat(101)
        ))
        .await;
    assert_eq!(client.answer().await.status, 431);
    assert_eq!(client.closed().await, b"");
    assert_eq!(server.seen.unserved_for("kept", "too_many_headers"), 1);
}

#[tokio::test]
async fn header_values_that_are_not_utf8_and_strange_topics_arrive() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    client
        .send(b"POST /webhooks/fixed/a%00b%2Fc%20%C3%A9 HTTP/1.1\r\nx-signature: good\r\nx-raw: \xff\xfe\r\ncontent-length: 1\r\n\r\n\0")
        .await;
    assert_eq!(client.answer().await.status, 200);
    let stored = &server.intake.stored()[0];
    assert_eq!(stored.headers["x-raw"].as_bytes(), b"\xff\xfe");
    assert_eq!(
        stored.topic.as_ref().map(|t| t.as_str()),
        Some("a\u{fffd}b/c é"),
        "storable"
    );
    assert_eq!(&stored.body[..], b"\0");
}

#[tokio::test]
async fn with_both_lengths_the_chunks_count_and_nothing_is_smuggled() {
    let server = Server::start(IngressLimits::default()).await;
    for both in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
    ] {
        let mut client = server.connect().await;
        client
            .send(format!(
                "POST /webhooks/fixed HTTP/1.1\r\nx-signature: good\r\n{both}\r\n\r\n5\r\n{both:.5}\r\n0\r\n\r\n"
            ))
            .await;
        client
            .send(request("HEAD", "/webhooks/fixed", &[], b""))
            .await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.header("connection")),
            (200, Some("close"))
        );
        assert_eq!(
            client.closed().await,
            b"",
            "later bytes on such a connection are not trusted"
        );
    }
    let bodies: Vec<_> = server
        .intake
        .stored()
        .iter()
        .map(|r| r.body.clone())
        .collect();
    assert_eq!(bodies, ["conte", "trans"]);
    assert!(
        server
            .intake
            .stored()
            .iter()
            .all(|r| !r.headers.contains_key("content-length"))
    );
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    let mut all = vec![];
    for n in 0..50 {
        all.extend(request(
            "POST",
            "/webhooks/fixed",
            &[GOOD],
            format!("{n}").as_bytes(),
        ));
        all.extend(request("GET", "/webhooks/fixed", &[], b""));
    }
    client.send(&all).await;
    for _ in 0..50 {
        assert_eq!(client.answer().await.json()["status"], "stored");
        client.answer().await.problem(405, "wrong-method");
    }
    let bodies: Vec<_> = server
        .intake
        .stored()
        .iter()
        .map(|r| r.body.clone())
        .collect();
    assert_eq!(bodies, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_unread_body_does_not_cost_the_response() {
    let server = Server::start(IngressLimits::default()).await;
    for (method, path, status) in [
        ("PUT", "/webhooks/fixed", 405),
        ("POST", "/webhooks/nobody", 404),
        ("POST", "/elsewhere", 404),
    ] {
        let mut client = server.connect().await;
        client
            .send(request(method, path, &[], &vec![0; 300_000]))
            .await;
        assert_eq!(client.answer().await.status, status, "{method} {path}");
        client.may_finish(Instant::now()).await;
    }
}
