//! The http handler against real local servers: its requests, the meaning of the answers, and the
//! addresses it may reach.

use crate::raw_server::*;
use axum::{
    Router,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hookfast::internals::domain::{HttpHandlerSettings, Outcome, Report};
use hookfast::internals::handlers::{HttpHandler, InvalidHttpHandler};
use hookfast::internals::signing::standard_webhooks;
use sha2::{Digest, Sha256};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command, sync::mpsc};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that answers 200 and passes on the requests.
async fn recording() -> (RawServer, mpsc::UnboundedReceiver<RawRequest>) {
    let (sender, requests) = mpsc::unbounded_channel();
    let server = RawServer::start(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            while let Some(request) = read_request(&mut stream).await {
                sender.send(request).expect("the test listens");
                stream
                    .write_all(OK.as_bytes())
                    .await
                    .expect("the handler reads");
            }
        }
    })
    .await;
    (server, requests)
}

/// HMAC as defined in RFC 2104, so that the signature is not checked by the code that made it.
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> Vec<u8> {
    let padded = |with: u8| -> Vec<u8> {
        key.iter()
            .copied()
            .chain([0; 32])
            .map(|byte| byte ^ with)
            .collect()
    };
    let inner = Sha256::digest([padded(0x36).as_slice(), message].concat());
    Sha256::digest([padded(0x5c).as_slice(), &inner].concat()).to_vec()
}

#[tokio::test]
async fn the_exact_bytes_arrive_with_a_signature_and_the_headers_that_name_the_delivery() {
    let (server, mut requests) = recording().await;
    let handler = handler(server.url());
    for body in [
        &b"{\"a\": 1.0}\r\n"[..],
        b"\x00\xff\xfe not json \x00",
        b"",
        &[7; 300_000],
    ] {
        let report = handler.deliver(&delivery(body)).await;
        assert_eq!(
            report,
            Report {
                outcome: Outcome::Delivered,
                status: Some(200)
            }
        );
        let request = requests.recv().await.expect("a request");
        assert_eq!(request.body, body);
        assert!(
            request
                .head
                .starts_with("POST /hook?token=hunter2 HTTP/1.1\r\n"),
            "{}",
            request.head
        );
        for (name, value) in [
            ("host", server.addr.to_string().as_str()),
            ("webhook-id", "0197f2a0-0000-7000-8000-000000000001"),
            ("hookfast-delivery", "42"),
            ("hookfast-attempt", "3"),
            ("hookfast-source", "airalo-eu"),
            ("hookfast-type", "airalo.order.completed"),
            ("hookfast-received-at", "2025-12-01T00:00:00.007Z"),
            ("content-type", "application/json; charset=utf-8"),
            (
                "user-agent",
                concat!("hookfast/", env!("CARGO_PKG_VERSION")),
            ),
            ("authorization", "Bearer hunter2"),
        ] {
            assert_eq!(request.header(name), Some(value), "{name}");
        }
        let timestamp = request.header("webhook-timestamp").expect("a time");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        assert!(
            now.abs_diff(timestamp.parse().expect("seconds")) < 60,
            "{timestamp}"
        );
        let signed = [
            format!("0197f2a0-0000-7000-8000-000000000001.{timestamp}.").as_bytes(),
            body,
        ]
        .concat();
        let expected = format!("v1,{}", STANDARD.encode(hmac_sha256(&[1; 32], &signed)));
        assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
    }
    assert_eq!(server.connections(), 1, "one connection is reused");
}

#[tokio::test]
async fn while_secrets_are_replaced_both_sign() {
    let (server, mut requests) = recording().await;
    let both = HttpHandlerSettings {
        secrets: vec![secret(1), secret(2)],
        ..settings(server.url())
    };
    let handler = HttpHandler::new(both).expect("a handler");
    let signed_by = |request: &RawRequest, byte| {
        let mut headers = HeaderMap::new();
        for name in [
            standard_webhooks::ID,
            standard_webhooks::TIMESTAMP,
            standard_webhooks::SIGNATURE,
        ] {
            headers.insert(
                name,
                HeaderValue::from_str(request.header(name).expect(name)).expect("a value"),
            );
        }
        standard_webhooks::verify(&headers, &request.body, &[secret(byte)], SystemTime::now())
            .is_ok()
    };
    assert_eq!(deliver(&handler).await.outcome, Outcome::Delivered);
    let request = requests.recv().await.expect("a request");
    assert!(signed_by(&request, 1) && signed_by(&request, 2) && !signed_by(&request, 3));

    assert!(matches!(
        handler.replace_credentials(vec![], &[]),
        Err(InvalidHttpHandler::NoSecret)
    ));
    handler
        .replace_credentials(vec![secret(3)], &[])
        .expect("a secret");
    assert_eq!(deliver(&handler).await.outcome, Outcome::Delivered);
    let request = requests.recv().await.expect("a request");
    assert!(!signed_by(&request, 1) && !signed_by(&request, 2) && signed_by(&request, 3));
}

#[tokio::test]
async fn a_body_keeps_its_encoding_and_the_senders_headers_that_are_wanted() {
    let (server, mut requests) = recording().await;
    let settings = HttpHandlerSettings {
        forward_headers: vec![
            "X-GitHub-Event".to_owned(),
            "x-raw".to_owned(),
            "x-many".to_owned(),
        ],
        ..settings(server.url())
    };
    let handler = HttpHandler::new(settings).expect("a handler");
    let mut delivery = delivery(&b"\x1f\x8b compressed"[..]);
    Arc::make_mut(&mut delivery.event).headers = Arc::new(serde_json::json!({
        "content-type": "application/json", "content-encoding": "gzip", "x-github-event": "push", "x-raw": "base64:w6k=",
        "x-many": ["a", "b"], "x-unwanted": "1", "host": "hooks.example.com",
    }));
    assert_eq!(handler.deliver(&delivery).await.outcome, Outcome::Delivered);
    let request = requests.recv().await.expect("a request");
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("x-github-event", "push"),
        ("x-raw", "é"),
    ] {
        assert_eq!(request.header(name), Some(value), "{}", request.head);
    }
    assert!(
        request.head.contains("x-many: a\r\nx-many: b\r\n"),
        "{}",
        request.head
    );
    assert_eq!(request.header("x-unwanted"), None);
    assert_eq!(
        request.header("host"),
        Some(server.addr.to_string().as_str())
    );
}

/// A usual HTTP server: the path selects the status, the query `Retry-After`.
async fn by_path() -> SocketAddr {
    let answer = |uri: Uri| async move {
        let status: u16 = uri.path()[1..].parse().expect("a status");
        let mut headers = HeaderMap::new();
        if let Some(after) = uri.query() {
            headers.insert(
                header::RETRY_AFTER,
                after.replace('_', " ").parse().expect("a value"),
            );
        }
        (
            StatusCode::from_u16(status).expect("a status"),
            headers,
            "said the receiver",
        )
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    addr
}

#[tokio::test]
async fn every_response_status_has_its_outcome() {
    let addr = by_path().await;
    for status in [
        200, 201, 202, 203, 204, 205, 226, 299, 300, 304, 400, 401, 404, 408, 409, 410, 422, 429,
        451, 500, 502, 503, 504, 599,
    ] {
        let listed = HttpHandlerSettings {
            dead_on: vec![404, 422],
            ..settings(format!("http://{addr}/{status}"))
        };
        let report = deliver(&HttpHandler::new(listed).expect("a handler")).await;
        assert_eq!(report.status, Some(status));
        let as_expected = match status {
            200..=299 => matches!(report.outcome, Outcome::Delivered),
            404 | 422 => matches!(report.outcome, Outcome::Dead { .. }),
            410 => matches!(report.outcome, Outcome::EndpointGone { .. }),
            _ => matches!(report.outcome, Outcome::Retry { after: None, .. }),
        };
        assert!(as_expected, "{status}: {report:?}");
        if status >= 400 {
            assert_eq!(
                error(&report),
                format!("status {status}: said the receiver")
            );
        }
    }
}

#[tokio::test]
async fn retry_after_is_kept_in_both_forms_and_garbage_is_not() {
    let addr = by_path().await;
    let wait = async |status: u16, after: &str| {
        let report = deliver(&handler(format!(
            "http://{addr}/{status}?{}",
            after.replace(' ', "_")
        )))
        .await;
        let Outcome::Retry { after, .. } = report.outcome else {
            panic!("{status} is retried")
        };
        after
    };
    for status in [429, 503, 500, 404] {
        assert_eq!(
            wait(status, "120").await,
            Some(Duration::from_secs(120)),
            "{status}"
        );
    }
    let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(600));
    let by_date = wait(503, &soon).await.expect("a time").as_secs();
    assert!((580..=600).contains(&by_date), "{by_date}");
    assert_eq!(
        wait(503, "999999999").await,
        Some(Duration::from_secs(86_400))
    );
    for garbage in ["-1", "soon", "1e3"] {
        assert_eq!(wait(429, garbage).await, None, "{garbage}");
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let (inside, mut asked) = recording().await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let to = format!(
            "HTTP/1.1 {status}\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            inside.url()
        );
        let server = RawServer::answering(to).await;
        let report = deliver(&handler(server.url())).await;
        assert_eq!(
            report.status.map(|s| s.to_string()).as_deref(),
            status.split(' ').next()
        );
        assert!(
            error(&report).contains("redirects are not followed"),
            "{report:?}"
        );
        assert_eq!(server.connections(), 1);
    }
    assert_eq!(inside.connections(), 0);
    assert!(asked.try_recv().is_err());
}

#[tokio::test]
async fn a_connection_is_reused_also_after_long_responses_and_failures() {
    for answer in ["HTTP/1.1 200 OK", "HTTP/1.1 500 Oh", "HTTP/1.1 410 Gone"] {
        let body = "x".repeat(20_000);
        let server = RawServer::answering(format!(
            "{answer}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        let handler = handler(server.url());
        for _ in 0..5 {
            let report = deliver(&handler).await;
            assert!(
                error(&report).len() < 1100,
                "an answer of 20,000 bytes gives a short error"
            );
        }
        assert_eq!(server.connections(), 1, "{answer}");
    }
}

#[tokio::test]
async fn a_connection_closed_while_it_was_kept_is_no_failed_attempt() {
    // The first answer promises to keep the connection; the second request on it gets no answer.
    let server = RawServer::start(|number, mut stream| async move {
        let answers = if number == 1 { 1 } else { usize::MAX };
        for _ in 0..answers {
            if read_request(&mut stream).await.is_none() {
                return;
            }
            stream
                .write_all(OK.as_bytes())
                .await
                .expect("the handler reads");
        }
        read_request(&mut stream).await;
    })
    .await;
    let handler = handler(server.url());
    for _ in 0..3 {
        assert_eq!(deliver(&handler).await.outcome, Outcome::Delivered);
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_new_connection_that_is_closed_is_one_failed_attempt() {
    let server = RawServer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    let handler = handler(server.url());
    for attempts in 1..=3 {
        let report = deliver(&handler).await;
        assert!(
            error(&report).starts_with("connection broken: 127.0.0.1:"),
            "{report:?}"
        );
        assert_eq!((report.status, server.connections()), (None, attempts));
    }
}

#[tokio::test]
async fn many_at_a_time() {
    let (server, mut requests) = recording().await;
    let handler = Arc::new(handler(server.url()));
    let attempts: Vec<_> = (0..50u8)
        .map(|n| {
            let handler = handler.clone();
            tokio::spawn(async move { handler.deliver(&delivery([n])).await })
        })
        .collect();
    for attempt in attempts {
        assert_eq!(attempt.await.expect("no panic").outcome, Outcome::Delivered);
    }
    let mut bodies: Vec<u8> = Vec::new();
    while let Ok(request) = requests.try_recv() {
        bodies.extend(request.body);
    }
    bodies.sort_unstable();
    assert_eq!(bodies, (0..50).collect::<Vec<u8>>());
}

#[tokio::test]
async fn the_own_network_is_forbidden_unless_allowed() {
    let (server, _requests) = recording().await;
    let by_name = format!("http://localhost:{}/?token={PASSWORD}", server.addr.port());
    let guarded = HttpHandlerSettings {
        allow_private: false,
        ..settings(&by_name)
    };
    let report =
        deliver(&HttpHandler::new(guarded).expect("a name is judged when it is resolved")).await;
    assert!(
        error(&report).starts_with("address blocked: localhost is "),
        "{report:?}"
    );
    assert!(
        error(&report).contains("loopback") && error(&report).contains("allow_private"),
        "{report:?}"
    );
    let literal = HttpHandlerSettings {
        allow_private: false,
        ..settings(server.url())
    };
    assert!(matches!(
        HttpHandler::new(literal),
        Err(InvalidHttpHandler::Address(_))
    ));
    assert_eq!(server.connections(), 0);

    assert_eq!(deliver(&handler(by_name)).await.outcome, Outcome::Delivered);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_missing_receiver_is_named_in_the_error() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port")
        .local_addr()
        .expect("an address");
    let report = deliver(&handler(format!("http://{free}/?token={PASSWORD}"))).await;
    assert_eq!(
        error(&report),
        format!("connection refused: nothing accepts connections at {free}")
    );
    // A label of more than 63 bytes: a resolver sends no query for it.
    let nobody = format!("{}.example", "a".repeat(64));
    let report = deliver(&handler(format!("http://{nobody}/?token={PASSWORD}"))).await;
    assert!(
        error(&report).starts_with(&format!("name not found: {nobody}:80: ")),
        "{report:?}"
    );
}

#[tokio::test]
async fn invalid_settings_are_rejected_and_never_printed() {
    let base = || settings(format!("https://a.example/{PASSWORD}?token={PASSWORD}"));
    let refused = |settings: HttpHandlerSettings| HttpHandler::new(settings).expect_err("refused");
    assert!(matches!(
        refused(HttpHandlerSettings {
            secrets: vec![],
            ..base()
        }),
        InvalidHttpHandler::NoSecret
    ));
    assert!(matches!(
        refused(HttpHandlerSettings {
            timeout: Duration::ZERO,
            ..base()
        }),
        InvalidHttpHandler::Timeout
    ));
    for status in [200, 299, 100, 600] {
        let error = refused(HttpHandlerSettings {
            dead_on: vec![404, status],
            ..base()
        });
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
    let handler = HttpHandler::new(base()).expect("a handler");
    assert_eq!(handler.target(), "a.example:443");
    for printed in [format!("{handler:?}"), format!("{:?}", base())] {
        assert!(!printed.contains(PASSWORD), "{printed}");
    }
}

/// Runs itself in a child process, whose environment names a proxy for everything.
#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used() {
    const URL: &str = "HOOKFAST_TEST_URL";
    if let Ok(url) = std::env::var(URL) {
        assert_eq!(deliver(&handler(url)).await.outcome, Outcome::Delivered);
        return;
    }
    let (server, mut requests) = recording().await;
    let proxy = RawServer::answering("HTTP/1.1 502 Proxy\r\ncontent-length: 0\r\n\r\n").await;
    let mut child = Command::new(std::env::current_exe().expect("this test's file"));
    child
        .args([
            "--exact",
            "push_handler::a_proxy_in_the_environment_is_not_used",
        ])
        .env(URL, server.url());
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        child.env(name, format!("http://{}", proxy.addr));
    }
    let output = child
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .await
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(requests.try_recv().is_ok(), "the child delivered");
    assert_eq!(proxy.connections(), 0);
}
