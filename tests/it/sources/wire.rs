//! Sources that need only configuration, in a real process: from the network into the tables.

use super::vectors::sample;
use crate::support::{
    postgres::database,
    raw_http::{Answer, Client, request},
    server::{AIRALO_SECRET, HANDLER_SECRET, Server},
};
use hookfast::internals::signing::{Algorithm, Secret, standard_webhooks};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The three samples, with secrets that the tests' processes have.
fn config() -> String {
    let acme = sample("acme").replace("ACME_WEBHOOK_SECRET", "HANDLER_SECRET");
    let github = sample("github").replace("GITHUB_WEBHOOK_SECRET", "AIRALO_CLIENT_SECRET");
    let slack = sample("slack").replace("SLACK_SIGNING_SECRET", "AIRALO_CLIENT_SECRET");
    [acme, github, slack].join("\n\n")
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

fn hex_of(parts: &[&[u8]]) -> String {
    hex::encode(Algorithm::Sha256.mac(
        &Secret::new("test", AIRALO_SECRET.into()).expect("long enough"),
        parts,
    ))
}

async fn post(address: SocketAddr, source: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut client = Client::connect(address).await;
    client
        .send(request(
            "POST",
            &format!("/webhooks/{source}"),
            headers,
            body,
        ))
        .await;
    client.answer().await
}

async fn acme(address: SocketAddr, id: &str, time: u64, body: &[u8]) -> Answer {
    let secret = standard_webhooks::parse_secret("test", HANDLER_SECRET).expect("a secret");
    let (signature, time_text) = (
        standard_webhooks::sign(&[secret], id, time, body),
        time.to_string(),
    );
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", &time_text),
        ("webhook-signature", &signature),
    ];
    post(address, "acme", &headers, body).await
}

async fn slack(address: SocketAddr, body: &[u8]) -> Answer {
    let time = now().to_string();
    let signature = format!("v0={}", hex_of(&[b"v0:", time.as_bytes(), b":", body]));
    post(
        address,
        "slack",
        &[
            ("x-slack-request-timestamp", &time),
            ("x-slack-signature", &signature),
        ],
        body,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_sources_accept_their_webhooks_and_slacks_challenge() {
    let database = database().await;
    let server = Server::serve(database.url(), &config(), &["--roles", "ingress"]);
    server.ready().await;
    let (ingress, pool) = (server.ingress().await, database.pool().await);

    let mut verdicts = Vec::new();
    for body in [
        &b"{\"type\":\"Invoice.paid\"}"[..],
        b"{\"type\":\"Invoice.paid\"}",
        b"{\"type\":\"Invoice.paid\",\"n\":2}",
    ] {
        verdicts.push(acme(ingress, "msg_1", now(), body).await.json()["status"].clone());
    }
    assert_eq!(verdicts, ["stored", "duplicate", "conflict"]);
    acme(ingress, "msg_2", now() - 1000, b"{}")
        .await
        .problem(401, "not-verified");
    let time = now().to_string();
    let asymmetric = [
        ("webhook-id", "msg_3"),
        ("webhook-timestamp", &time),
        ("webhook-signature", "v1a,AAAA"),
    ];
    post(ingress, "acme", &asymmetric, b"{}")
        .await
        .problem(401, "not-verified");

    let body = br#"{"action":"opened"}"#;
    let signature = format!("sha256={}", hex_of(&[body]));
    let headers = [
        ("x-hub-signature-256", signature.as_str()),
        ("x-github-event", "pull_request"),
        ("x-github-delivery", "g1"),
    ];
    assert_eq!(
        post(ingress, "github", &headers, body).await.json()["status"],
        "stored"
    );
    post(ingress, "github", &headers, b"{}")
        .await
        .problem(401, "not-verified");

    let asked = slack(
        ingress,
        br#"{"type":"url_verification","challenge":"<b>3eZbrw1a</b>"}"#,
    )
    .await;
    assert_eq!(
        (asked.status, &asked.body[..]),
        (200, &b"<b>3eZbrw1a</b>"[..])
    );
    assert_eq!(
        asked.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(asked.header("x-content-type-options"), Some("nosniff"));
    let forged = [
        ("x-slack-request-timestamp", time.as_str()),
        ("x-slack-signature", &format!("v0={}", "0".repeat(64))),
    ];
    post(
        ingress,
        "slack",
        &forged,
        br#"{"type":"url_verification","challenge":"x"}"#,
    )
    .await
    .problem(401, "not-verified");
    let event = slack(
        ingress,
        br#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}"#,
    )
    .await;
    assert_eq!(event.json()["status"], "stored");

    let events: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT source, type, idempotency_key FROM hookfast.events ORDER BY event_id",
    )
    .fetch_all(&pool)
    .await
    .expect("the events");
    let events: Vec<_> = events
        .iter()
        .map(|(s, t, k)| (s.as_str(), t.as_str(), k.split('#').next().unwrap_or(k)))
        .collect();
    assert_eq!(
        events,
        [
            ("acme", "acme.invoice.paid", "msg_1"),
            ("acme", "acme.invoice.paid.conflict", "msg_1"),
            ("github", "github.pull_request.opened", "g1"),
            ("slack", "slack.event_callback.message", "Ev1"),
        ]
    );
    let reasons = "SELECT coalesce(string_agg(source || ' ' || reason, ', ' ORDER BY source, reason), '') FROM hookfast.quarantine";
    crate::support::wait_until("the evidence", async || {
        let kept: String = sqlx::query_scalar(reasons).fetch_one(&pool).await.expect("a text");
        kept == "acme stale_signature, acme unsupported_signature, github wrong_signature, slack wrong_signature"
    })
    .await;
}

#[test]
fn check_warns_of_headers_that_are_not_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hookfast.toml");
    let text = config().replace(
        "algorithm = \"sha256\"\nsigned = \"v0",
        "algorithm = \"insecure_sha1\"\nsigned = \"v0",
    );
    std::fs::write(&file, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    command
        .args(["check", "--config"])
        .arg(&file)
        .env("DATABASE_URL", "postgres://127.0.0.1:1/none");
    let checked = command
        .env("HANDLER_SECRET", HANDLER_SECRET)
        .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&checked.stdout);
    for line in [
        "ok       configuration: 3 sources, 0 handlers",
        "note     [sources.github] type: the signature does not cover header:x-github-event",
        "note     [sources.github] key: the signature does not cover header:x-github-delivery",
        "warning  [sources.slack] algorithm: SHA-1 is broken",
    ] {
        assert!(printed.contains(line), "{line} is not in:\n{printed}");
    }
    assert_eq!(printed.matches("warning ").count(), 1, "{printed}");
}
