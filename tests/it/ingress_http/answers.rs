//! The answer to each kind of request.

use super::fakes::{GOOD, SIGNATURE, Server, WRONG, secret};
use crate::support::raw_http::request;
use hookfast::internals::domain::IngressLimits;
use hookfast::internals::ingress::Refusal;

#[tokio::test]
async fn a_verified_request_is_stored_and_its_repeat_is_a_duplicate_of_it() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    client
        .send(request(
            "POST",
            "/webhooks/fixed/orders",
            &[GOOD],
            b"{\"a\": 1}",
        ))
        .await;
    let first = client.answer().await;
    assert_eq!(
        (first.status, first.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(first.json()["status"], "stored");
    let id: uuid::Uuid = first.json()["event_id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("a UUID");

    client
        .send(request(
            "POST",
            "/webhooks/fixed/orders?a=1",
            &[GOOD],
            b"{\"a\": 1}",
        ))
        .await;
    let second = client.answer().await.json();
    assert_eq!(
        second,
        serde_json::json!({ "status": "duplicate", "event_id": id })
    );

    let stored = server.intake.stored();
    assert_eq!(&stored[0].body[..], b"{\"a\": 1}", "the bytes as sent");
    assert_eq!(stored[0].topic.as_ref().map(|t| t.as_str()), Some("orders"));
    assert_eq!(stored[0].headers[SIGNATURE], "good");
    assert_eq!(stored[0].verified_by.as_str(), "good");
    let seen = server.seen.answers.lock().expect("not poisoned").clone();
    assert_eq!(
        seen,
        [
            ("fixed".to_owned(), 200, "stored"),
            ("fixed".to_owned(), 200, "duplicate")
        ]
    );
}

#[tokio::test]
async fn empty_bodies_and_missing_topics_are_fine() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], b""))
        .await;
    assert_eq!(client.answer().await.json()["status"], "stored");
    assert_eq!(
        (
            server.intake.stored()[0].topic.clone(),
            server.intake.stored()[0].body.len()
        ),
        (None, 0)
    );
}

#[tokio::test]
async fn a_bad_signature_is_401_without_the_reason_and_offered_as_evidence() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    let mut bodies = vec![];
    for headers in [&[][..], &[(SIGNATURE, "x")], &[WRONG]] {
        client
            .send(request(
                "POST",
                "/webhooks/fixed/orders",
                headers,
                b"forged",
            ))
            .await;
        let answer = client.answer().await;
        bodies.push(answer.problem(401, "not-verified"));
        assert!(answer.header("www-authenticate").is_some());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    let offered = server
        .evidence
        .offered
        .lock()
        .expect("not poisoned")
        .clone();
    let reasons: Vec<_> = offered
        .iter()
        .map(|request| request.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "missing_signature",
            "malformed_signature",
            "wrong_signature"
        ]
    );
    assert_eq!(
        (
            &offered[2].body[..],
            offered[2].topic.as_ref().map(|t| t.as_str())
        ),
        (&b"forged"[..], Some("orders"))
    );
    assert!(server.intake.stored().is_empty());
}

#[tokio::test]
async fn with_quarantine_on_only_wrong_signatures_are_quarantined() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    client
        .send(request("POST", "/webhooks/kept", &[WRONG], b"who knows"))
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        serde_json::json!({ "status": "quarantined", "event_id": null })
    );
    assert_eq!(server.evidence.kept.lock().expect("not poisoned").len(), 1);

    for headers in [&[][..], &[(SIGNATURE, "x")]] {
        client
            .send(request("POST", "/webhooks/kept", headers, b"forged"))
            .await;
        client.answer().await.problem(401, "not-verified");
    }
    *server.evidence.refusal.lock().expect("not poisoned") = Some(Refusal::Busy);
    client
        .send(request("POST", "/webhooks/kept", &[WRONG], b"another"))
        .await;
    client.answer().await.problem(503, "busy");
    assert_eq!(server.evidence.kept.lock().expect("not poisoned").len(), 1);
    assert_eq!(
        server.evidence.offered.lock().expect("not poisoned").len(),
        2
    );
}

#[tokio::test]
async fn head_is_answered_without_signature_and_store_and_everything_else_is_405() {
    let server = Server::start(IngressLimits::default()).await;
    server.intake.close_gate();
    let mut client = server.connect().await;
    for path in [
        "/webhooks/fixed",
        "/webhooks/fixed/async_orders",
        "/webhooks/kept?x=1",
    ] {
        client.send(request("HEAD", path, &[], b"")).await;
        let answer = client.answer_to_head().await;
        assert_eq!(
            (answer.status, answer.header("content-length")),
            (200, Some("0")),
            "{path}"
        );
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        client
            .send(request(method, "/webhooks/fixed", &[], b""))
            .await;
        let answer = client.answer().await;
        answer.problem(405, "wrong-method");
        assert_eq!(answer.header("allow"), Some("POST, HEAD"), "{method}");
    }
    assert!(server.intake.stored().is_empty());
}

#[tokio::test]
async fn other_addresses_are_404_and_never_a_redirect() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    let addresses = [
        ("/webhooks/nobody", "unknown-source"),
        ("/webhooks/nobody/orders", "unknown-source"),
        ("/webhooks/FIXED", "unknown-source"),
        ("/webhooks/%ff", "unknown-source"),
        ("/webhooks/fixed%00", "unknown-source"),
        ("/webhooks/..%2ffixed", "unknown-source"),
        ("/", "unknown-path"),
        ("//", "unknown-path"),
        ("/webhooks", "unknown-path"),
        ("/webhooks/", "unknown-path"),
        ("/webhooks/nobody/", "unknown-source"),
        ("/webhooks//fixed", "unknown-source"),
        ("/Webhooks/fixed", "unknown-path"),
        ("*", "unknown-path"),
    ];
    for (path, name) in addresses {
        for method in ["POST", "GET", "HEAD"] {
            client.send(request(method, path, &[GOOD], b"")).await;
            if method == "HEAD" {
                assert_eq!(client.answer_to_head().await.status, 404, "{path}");
            } else {
                client.answer().await.problem(404, name);
            }
        }
    }
    client
        .send(request("CONNECT", "hooks.example:443", &[], b""))
        .await;
    client.answer().await.problem(404, "unknown-path");
    let seen = server.seen.answers.lock().expect("not poisoned").clone();
    assert_eq!(seen.len(), 3 * addresses.len() + 1, "{seen:?}");
    assert!(
        seen.iter().all(|(source, _, _)| source == "-"),
        "no label from outside: {seen:?}"
    );
}

#[tokio::test]
async fn a_trailing_slash_changes_nothing() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    client
        .send(request("HEAD", "/webhooks/fixed/", &[], b""))
        .await;
    assert_eq!(client.answer_to_head().await.status, 200);
    for (path, topic) in [
        ("/webhooks/fixed/", None),
        ("/webhooks/fixed/orders/?a=1", Some("orders")),
    ] {
        client
            .send(request("POST", path, &[GOOD], path.as_bytes()))
            .await;
        assert_eq!(client.answer().await.status, 200, "{path}");
        let stored = server.intake.stored().pop().expect("it is stored");
        assert_eq!(stored.topic.as_ref().map(|t| t.as_str()), topic, "{path}");
    }
}

#[tokio::test]
async fn an_invalid_topic_is_404_and_counted_for_its_source() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    for path in [
        "/webhooks/fixed/a/b",
        "/webhooks/fixed/%ff",
        "/webhooks/fixed//",
    ] {
        client.send(request("POST", path, &[GOOD], b"x")).await;
        client.answer().await.problem(404, "bad-topic");
    }
    let seen = server.seen.answers.lock().expect("not poisoned").clone();
    assert_eq!(seen, vec![("fixed".to_owned(), 404, "bad_topic"); 3]);
    assert!(server.intake.stored().is_empty());
}

#[tokio::test]
async fn our_own_failure_is_503_with_retry_after_and_a_later_success_counts() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    for (refusal, name) in [
        (Refusal::Busy, "busy"),
        (Refusal::Unavailable, "unavailable"),
        (Refusal::KeyHeld, "key-held"),
        (Refusal::InvalidData, "invalid-data"),
    ] {
        server.intake.refuse(Some(refusal));
        client
            .send(request("POST", "/webhooks/fixed", &[GOOD], b"x"))
            .await;
        client.answer().await.problem(503, name);
    }
    server.intake.refuse(None);
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], b"x"))
        .await;
    assert_eq!(client.answer().await.json()["status"], "stored");
}

#[tokio::test]
async fn a_panic_in_a_kind_of_source_is_answered_and_affects_no_other_request() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    client
        .send(request("POST", "/webhooks/fixed/panic", &[GOOD], b"x"))
        .await;
    client.answer().await.problem(503, "internal");
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], b"x"))
        .await;
    assert_eq!(
        client.answer().await.status,
        200,
        "the same connection continues"
    );
}

#[tokio::test]
async fn secrets_are_exchanged_while_it_runs() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    let name = "fixed".parse().expect("a name");
    assert!(
        server.sources.replace_secrets(&name, vec![]).is_err(),
        "never zero"
    );
    assert_eq!(
        server
            .sources
            .replace_secrets(&name, vec![secret("next"), secret("good")]),
        Ok(true)
    );
    for (label, status) in [("next", 200), ("good", 200)] {
        client
            .send(request(
                "POST",
                "/webhooks/fixed",
                &[(SIGNATURE, label)],
                label.as_bytes(),
            ))
            .await;
        assert_eq!(client.answer().await.status, status, "{label}");
    }
    assert_eq!(
        server.sources.replace_secrets(&name, vec![secret("next")]),
        Ok(true)
    );
    client
        .send(request("POST", "/webhooks/fixed", &[GOOD], b"late"))
        .await;
    client.answer().await.problem(401, "not-verified");
    assert_eq!(
        server
            .sources
            .replace_secrets(&"nobody".parse().expect("a name"), vec![secret("x")]),
        Ok(false)
    );
}

/// A form, a compressed body and an empty one. Nothing in unverified requests is counted.
#[tokio::test]
async fn verified_bodies_that_are_not_json_are_counted() {
    let server = Server::start(IngressLimits::default()).await;
    let mut client = server.connect().await;
    for body in [
        &b"payload=%7B%22action%22%3A1%7D"[..],
        b"\x1f\x8b\x08",
        b"",
        b" \n{\"a\":1}",
        b"[1]",
    ] {
        client
            .send(request("POST", "/webhooks/fixed", &[GOOD], body))
            .await;
        assert_eq!(client.answer().await.status, 200);
    }
    client
        .send(request(
            "POST",
            "/webhooks/fixed",
            &[(SIGNATURE, "wrong")],
            b"payload=",
        ))
        .await;
    assert_eq!(client.answer().await.status, 401);
    assert_eq!(*server.seen.not_json.lock().expect("whole"), ["fixed"; 3]);
}
