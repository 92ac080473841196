//! Receivers that misbehave: each attempt ends in time, reads a bounded amount, and its error can
//! be stored and read.

use crate::raw_server::*;
use futures_util::future::join_all;
use hookfast::internals::domain::{HttpHandlerSettings, Outcome};
use hookfast::internals::handlers::HttpHandler;
use std::{future::pending, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

/// The maximum that the sockets of both ends hold; a reader without a bound reads gigabytes in the
/// same time.
const BUFFERED: usize = 32 * 1024 * 1024;

fn hurried(url: String) -> HttpHandler {
    let settings = HttpHandlerSettings {
        timeout: Duration::from_millis(300),
        ..settings(url)
    };
    HttpHandler::new(settings).expect("a handler")
}

/// Answers with a beginning and then the same part forever; returns how many bytes were read.
async fn endless(
    beginning: &'static str,
    part: Vec<u8>,
) -> (RawServer, mpsc::UnboundedReceiver<usize>) {
    let (sender, written) = mpsc::unbounded_channel();
    let server = RawServer::start(move |_, mut stream| {
        let (sender, part) = (sender.clone(), part.clone());
        async move {
            read_request(&mut stream).await;
            let mut sent = 0;
            if stream.write_all(beginning.as_bytes()).await.is_ok() {
                while let Ok(n @ 1..) = stream.write(&part).await {
                    sent += n;
                }
            }
            let _ = sender.send(sent);
        }
    })
    .await;
    (server, written)
}

async fn taken(written: &mut mpsc::UnboundedReceiver<usize>) -> usize {
    timeout(PATIENCE, written.recv())
        .await
        .expect("the handler hangs up")
        .expect("a number")
}

#[tokio::test]
async fn a_receiver_that_hangs_costs_its_timeout_and_no_more() {
    let silent = RawServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        pending().await
    })
    .await;
    let report = deliver(&hurried(silent.url())).await;
    assert_eq!(
        error(&report),
        format!(
            "timed out after 300 ms: no answer from {} in this time (setting timeout)",
            silent.addr
        )
    );

    let half_a_head = RawServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await;
        pending().await
    })
    .await;
    assert!(
        error(&deliver(&hurried(half_a_head.url())).await).starts_with("timed out after 300 ms")
    );
}

#[tokio::test]
async fn a_receiver_that_never_reads_the_body_costs_its_timeout() {
    let deaf = RawServer::start(|_, stream| async move {
        let _held = stream;
        pending().await
    })
    .await;
    let big = delivery(vec![7; 32 * 1024 * 1024]);
    let report = timeout(PATIENCE, hurried(deaf.url()).deliver(&big))
        .await
        .expect("the attempt ends");
    assert!(
        error(&report).starts_with("timed out after 300 ms"),
        "{report:?}"
    );
}

#[tokio::test]
async fn the_status_counts_even_if_the_body_hangs_or_breaks() {
    let cases = [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nhalf",
            Outcome::Delivered,
            200,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz not a chunk",
            Outcome::Delivered,
            200,
        ),
        (
            "HTTP/1.1 500 Oh\r\ncontent-length: 900\r\n\r\nhalf",
            Outcome::unavailable("status 500: half"),
            500,
        ),
    ];
    let attempts = cases
        .into_iter()
        .flat_map(|case| [(case.clone(), true), (case, false)]);
    join_all(attempts.map(async |((head, outcome, status), hangs)| {
        let server = RawServer::start(move |_, mut stream: TcpStream| async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(head.as_bytes()).await;
            if hangs {
                pending().await
            }
        })
        .await;
        let patient = HttpHandlerSettings {
            timeout: Duration::from_secs(600),
            ..settings(server.url())
        };
        let report = deliver(&HttpHandler::new(patient).expect("a handler")).await;
        assert_eq!(
            (report.outcome, report.status),
            (outcome, Some(status)),
            "{head} {hangs}"
        );
    }))
    .await;
}

#[tokio::test]
async fn a_receiver_that_resets_or_closes_is_a_broken_connection() {
    let resets = RawServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        stream.set_zero_linger().expect("a socket");
    })
    .await;
    let closes_at_once = RawServer::start(|_, stream| async move { drop(stream) }).await;
    let resets_at_once = RawServer::start(|_, stream| async move {
        stream.set_zero_linger().expect("a socket");
    })
    .await;
    let closes_in_the_head = RawServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200").await;
    })
    .await;
    let closes_in_the_body = RawServer::start(|_, mut stream| async move {
        let mut some = [0; 4096];
        let _ = stream.read(&mut some).await;
        stream.set_zero_linger().expect("a socket");
    })
    .await;
    for server in [resets, closes_at_once, resets_at_once, closes_in_the_head] {
        let report = deliver(&handler(server.url())).await;
        assert!(
            matches!(
                &report.outcome,
                Outcome::Retry {
                    after: None,
                    unavailable: true,
                    ..
                }
            ),
            "{report:?}"
        );
        let text = error(&report);
        assert!(
            text.starts_with("connection broken: ") || text.starts_with("connection failed: "),
            "{text}"
        );
    }
    let big = delivery(vec![7; 8 * 1024 * 1024]);
    let report = timeout(PATIENCE, handler(closes_in_the_body.url()).deliver(&big))
        .await
        .expect("the attempt ends");
    assert!(
        error(&report).starts_with("connection broken: "),
        "{report:?}"
    );
}

#[tokio::test]
async fn an_endless_body_is_read_to_a_bound() {
    for (head, delivered) in [
        ("HTTP/1.1 200 OK\r\n\r\n", true),
        ("HTTP/1.1 500 Oh\r\n\r\n", false),
    ] {
        let (server, mut written) = endless(head, b"endless ".repeat(8192)).await;
        let report = deliver(&handler(server.url())).await;
        assert_eq!(report.outcome == Outcome::Delivered, delivered);
        assert!(error(&report).len() <= 1024 + "status 500: ".len());
        let taken = taken(&mut written).await;
        assert!(taken < BUFFERED, "{taken} bytes were read");
    }
}

#[tokio::test]
async fn a_body_that_drips_does_not_prolong_the_attempt() {
    let drips = RawServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\n\r\n")
            .await;
        while stream.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let patient = HttpHandlerSettings {
        timeout: Duration::from_secs(600),
        ..settings(drips.url())
    };
    let report = deliver(&HttpHandler::new(patient).expect("a handler")).await;
    let Outcome::Retry {
        error,
        after,
        unavailable: true,
        ..
    } = report.outcome
    else {
        panic!("503 is retried")
    };
    assert!(
        error.starts_with("status 503: .") && after == Some(Duration::from_secs(7)),
        "{error}"
    );
}

#[tokio::test]
async fn endless_headers_are_rejected() {
    for part in [&b"x-header: and another\r\n"[..], b"x"] {
        let (server, mut written) =
            endless("HTTP/1.1 200 OK\r\nx-first: ", part.repeat(1000)).await;
        let report = deliver(&handler(server.url())).await;
        assert!(
            error(&report).starts_with("response too large: ") && report.status.is_none(),
            "{report:?}"
        );
        let taken = taken(&mut written).await;
        assert!(taken < BUFFERED, "{taken} bytes were read");
    }
    let (server, mut written) = endless("", b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()).await;
    assert!(
        error(&deliver(&hurried(server.url())).await).starts_with("timed out"),
        "interim answers forever"
    );
    taken(&mut written).await;
}

#[tokio::test]
async fn a_response_that_is_not_http_is_reported_as_such() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 9999 What\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
    ] {
        let server = RawServer::answering(garbage).await;
        let report = deliver(&handler(server.url())).await;
        assert!(
            matches!(&report.outcome, Outcome::Retry { .. }),
            "{report:?}"
        );
        assert!(
            error(&report).starts_with("not http: "),
            "{garbage:?}: {report:?}"
        );
    }
}

#[tokio::test]
async fn nuls_and_bytes_that_are_not_text_become_storable() {
    let answer =
        b"HTTP/1.1 500 \xff\xfe\r\nx-odd: \xff\xfe\r\nretry-after: \xff\r\ncontent-length: 6\r\n\r\n\0a\xff\xfe\0b";
    let server = RawServer::answering(&answer[..]).await;
    let report = deliver(&handler(server.url())).await;
    assert_eq!(
        report.outcome,
        Outcome::unavailable("status 500: \u{fffd}a\u{fffd}\u{fffd}\u{fffd}b")
    );
}

#[tokio::test]
async fn an_unsolicited_response_between_two_requests_answers_neither() {
    // The second answer arrives with the first. If it counted for the next request, it would mark
    // an event as delivered.
    let twice =
        b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let server = RawServer::answering(&twice[..]).await;
    let handler = handler(server.url());
    for _ in 0..4 {
        assert_eq!(deliver(&handler).await.status, Some(500));
    }
}
