//! Assembles and runs the ingress.

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
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Receives webhooks over HTTP, and answers 200 only after the commit.
pub struct Ingress<I, E> {
    shared: Arc<Shared<I, E>>,
}

impl<I: Intake, E: Evidence> Ingress<I, E> {
    /// Makes an ingress for `sources`. Verified requests go to `intake`, others to `evidence`.
    /// Every response is reported to `observer` (`Arc::new(())` if nothing counts them).
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
                not_json_warned: Mutex::default(),
            }),
        }
    }

    /// The routes alone, for a program that has its own HTTP server. The limits for bodies hold;
    /// the program must limit connections and headers itself.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown` is cancelled. Then it accepts no more connections, answers the
    /// requests in flight, and returns. Bound that by a timeout: dropping the future closes all
    /// connections at once.
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
