//! The HTTP server for operators: liveness, readiness and metrics of this process.
//!
//! | path | 200 | 503 |
//! |---|---|---|
//! | `/healthz` | every registered loop ticks | problem+json, `stuck`: the loops that are stuck |
//! | `/readyz` | every condition is met | problem+json, `not_ready`: the unmet conditions and why |
//! | `/metrics` | OpenMetrics text | |
//!
//! It has no authentication. It is meant for the loopback address or a private network.

use crate::http_server::{self, ConnectionLimits, Problem};
use crate::telemetry::health::{Heartbeats, Readiness};
use crate::throttle::throttled;
use axum::{
    Router,
    extract::State,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use prometheus_client::{encoding::text, registry::Registry};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The parts of the process that the admin server reports on.
#[derive(Clone)]
pub struct Admin {
    /// The loops that must tick.
    pub heartbeats: Heartbeats,
    /// The conditions that must be met.
    pub readiness: Readiness,
    /// The metrics to encode.
    pub metrics: Arc<Registry>,
}

impl Admin {
    /// Serves until `shutdown` is cancelled and the requests in flight are answered. Dropping the
    /// future closes all connections at once.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let full = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-connections",
            "Too many connections",
            "The limit of connections to the admin server is reached; this one was not served. Intake and deliveries \
             are not affected. Close other connections, or try again.",
        );
        let full = full.retry_after(Duration::from_secs(2));
        http_server::serve(
            listener,
            self.router(),
            ConnectionLimits::default(),
            full,
            |_, _| {},
            shutdown,
        )
        .await;
    }

    /// The routes alone, for a program that has its own HTTP server.
    pub fn router(self) -> Router {
        let only = |reading: MethodRouter<Admin>| reading.fallback(wrong_method);
        Router::new()
            .route("/healthz", only(get(health)))
            .route("/readyz", only(get(ready)))
            .route("/metrics", only(get(metrics)))
            .fallback(unknown_path)
            .with_state(self)
    }
}

async fn health(State(admin): State<Admin>) -> Response {
    let stuck = admin.heartbeats.stuck(Instant::now());
    if stuck.is_empty() {
        return http_server::json(&json!({ "status": "ok", "loops": admin.heartbeats.count() }));
    }
    let stuck = stuck
        .iter()
        .map(|s| json!({ "name": s.name, "silent_seconds": s.silent.as_secs() }))
        .collect();
    let problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "stuck",
        "A loop of this process is stuck",
        "The loops listed under 'stuck' have made no progress within their time limits. Committed data is not \
         affected: another worker rescues the deliveries of this one. Check the log, then restart this process.",
    );
    problem.member("stuck", stuck).into_response()
}

async fn ready(State(admin): State<Admin>) -> Response {
    let unmet = admin.readiness.unmet();
    if unmet.is_empty() {
        return http_server::json(&json!({ "status": "ready" }));
    }
    let unmet = unmet
        .iter()
        .map(|(name, reason)| json!({ "name": name, "reason": reason }))
        .collect();
    let problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not-ready",
        "This process is not ready",
        "The conditions listed under 'not_ready' are not met. Committed data is not affected. The process becomes \
         ready without a restart once they are met; send requests elsewhere until then.",
    );
    problem.member("not_ready", unmet).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut body = String::new();
    if let Err(error) = text::encode(&mut body, &admin.metrics) {
        throttled!(error, %error, "the metrics could not be encoded");
        let problem = Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "metrics",
            "The metrics could not be encoded",
            "This is an error in Hookfast; its log has the cause. Nothing else is affected.",
        );
        return problem.into_response();
    }
    (
        [(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS))],
        body,
    )
        .into_response()
}

async fn unknown_path() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-path",
        "Unknown address",
        "The admin server serves /healthz, /readyz and /metrics. Webhooks are received at the other address.",
    )
}

async fn wrong_method(method: Method) -> Problem {
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong-method",
        "This address is read-only",
        "Use GET or HEAD; nothing was changed.",
    );
    tracing::debug!(%method, "a method that the admin server does not support");
    problem.header(header::ALLOW, HeaderValue::from_static("GET, HEAD"))
}
