//! The ingress put together.

use super::{
    Evidence, Intake, Observer, Sources,
    address::Address,
    answer,
    refusals::Refusals,
    routes::{self, Shared},
};
use crate::domain::IngressLimits;
use crate::http_server::{self, Unserved};
use axum::Router;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Takes webhooks over HTTP, and answers 200 only for what is committed.
pub struct Ingress<I, E> {
    shared: Arc<Shared<I, E>>,
}

impl<I: Intake, E: Evidence> Ingress<I, E> {
    /// An ingress for `sources`: verified requests go to `intake`, others to `evidence`, every answer is told to
    /// `observer` (`Arc::new(())` where nobody counts).
    pub fn new(
        sources: Arc<Sources>,
        intake: I,
        evidence: E,
        observer: Arc<dyn Observer>,
        limits: IngressLimits,
    ) -> Self {
        let (bodies, headers) = (limits.memory_for_bodies(), limits.memory_for_headers());
        Self {
            shared: Arc::new(Shared {
                sources,
                intake,
                evidence,
                observer,
                limits,
                bodies,
                headers,
                refusals: Refusals::default(),
                not_json_told: Mutex::default(),
            }),
        }
    }

    /// The routes alone, for a program that serves them by itself. The limits for bodies hold; those for
    /// connections and headers are then the program's business.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown` is cancelled: then no connection is accepted any more, requests in flight are
    /// answered, and it returns. Bound that by a grace time: dropping the future ends all connections at once.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let (limits, full) = (
            self.shared.limits.of_connections(),
            answer::no_connection_free(),
        );
        let shared = Arc::clone(&self.shared);
        let unserved = move |unserved: Unserved, head: &[u8]| {
            shared.unserved(
                Address::source_of_head(head, &shared.sources),
                unserved.as_str(),
            );
        };
        http_server::serve(listener, self.router(), limits, full, unserved, shutdown).await;
    }
}
