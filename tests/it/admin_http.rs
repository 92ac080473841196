//! The admin server: liveness, readiness and metrics.

use crate::support::raw_http::{Client, in_time, request};
use hookfast::internals::telemetry::admin::Admin;
use hookfast::internals::telemetry::health::{Heartbeats, Readiness};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

struct Running {
    admin: Admin,
    requests: Counter,
    client: Client,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn start() -> Running {
    let (mut registry, requests) = (Registry::default(), Counter::default());
    registry.register("hookfast_requests", "Requests answered", requests.clone());
    let admin = Admin {
        heartbeats: Heartbeats::default(),
        readiness: Readiness::default(),
        metrics: Arc::new(registry),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(admin.clone().serve(listener, shutdown.clone()));
    Running {
        admin,
        requests,
        client: Client::connect(address).await,
        shutdown,
        task,
    }
}

#[tokio::test]
async fn healthz_names_the_loops_that_do_not_tick() {
    let mut running = start().await;
    let _well = running
        .admin
        .heartbeats
        .register("renew", Duration::from_secs(3600));
    running
        .client
        .send(request("GET", "/healthz", &[], b""))
        .await;
    let answer = running.client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        serde_json::json!({ "status": "ok", "loops": 1 })
    );

    let stuck = running.admin.heartbeats.register("claim", Duration::ZERO);
    running
        .client
        .send(request("GET", "/healthz", &[], b""))
        .await;
    let answer = running.client.answer().await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["type"], "urn:hookfast:problem:stuck");
    assert_eq!(answer.json()["stuck"][0]["name"], "claim");
    assert_eq!(answer.json()["stuck"].as_array().map(Vec::len), Some(1));

    stuck.retire();
    running
        .client
        .send(request("HEAD", "/healthz", &[], b""))
        .await;
    assert_eq!(running.client.answer_to_head().await.status, 200);
}

#[tokio::test]
async fn readyz_names_the_unready_parts_until_they_are_ready() {
    let mut running = start().await;
    running
        .admin
        .readiness
        .set("database", Err("it cannot be reached".to_owned()));
    running.admin.readiness.set("migrations", Ok(()));
    running
        .client
        .send(request("GET", "/readyz", &[], b""))
        .await;
    let answer = running.client.answer().await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (503, Some("application/problem+json"))
    );
    let expected = serde_json::json!([{ "name": "database", "reason": "it cannot be reached" }]);
    assert_eq!(answer.json()["not_ready"], expected);

    running.admin.readiness.set("database", Ok(()));
    running
        .client
        .send(request("GET", "/readyz", &[], b""))
        .await;
    assert_eq!(
        running.client.answer().await.json(),
        serde_json::json!({ "status": "ready" })
    );
}

#[tokio::test]
async fn metrics_are_open_metrics_text() {
    let mut running = start().await;
    running.requests.inc_by(3);
    running
        .client
        .send(request("GET", "/metrics", &[], b""))
        .await;
    let answer = running.client.answer().await;
    let text = String::from_utf8(answer.body.clone()).expect("text");
    assert!(
        answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
    );
    assert!(
        text.contains("hookfast_requests_total 3\n") && text.ends_with("# EOF\n"),
        "{text}"
    );
}

#[tokio::test]
async fn idle_and_slow_connections_do_not_block_probes() {
    let running = start().await;
    let address = running.client.peer();
    let mut open = vec![];
    for n in 0..128 {
        let mut client = Client::connect(address).await;
        client
            .send(if n % 2 == 0 {
                request("GET", "/healthz", &[], b"")
            } else {
                b"GET /hea".to_vec()
            })
            .await;
        open.push(client);
    }
    for _ in 0..20 {
        let mut probe = Client::connect(address).await;
        probe.send(request("GET", "/healthz", &[], b"")).await;
        assert_eq!(probe.answer().await.status, 200);
        open.push(probe);
    }
}

#[tokio::test]
async fn other_requests_get_a_problem_and_the_server_ends_on_request() {
    let mut running = start().await;
    running
        .client
        .send(request("GET", "/webhooks/airalo", &[], b""))
        .await;
    running.client.answer().await.problem(404, "unknown-path");
    running
        .client
        .send(request("DELETE", "/healthz", &[], b""))
        .await;
    let answer = running.client.answer().await;
    answer.problem(405, "wrong-method");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));

    running.shutdown.cancel();
    in_time("serve returns", running.task)
        .await
        .expect("without a panic");
    assert_eq!(running.client.closed().await, b"");
}
