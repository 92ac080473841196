//! Sends a fixed response to connections over the limit, and gives the peer time to read it.

use super::{Problem, connection::linger};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// How many connections may get the overload response at the same time. All others are dropped
/// without it, so that during a flood the responses do not become a load themselves.
const AT_ONCE: usize = 64;

/// How long to wait for the request's first bytes. Many clients treat a response that arrives
/// before their request as an error.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);

/// Sends the overload response to connections that cannot be served.
pub(super) struct OverloadResponder {
    permits: Arc<Semaphore>,
    wire: Bytes,
}

/// The permit for an overload response. A connection that has one may stay open for a moment
/// although it has lost its entry in the table.
pub(super) struct ResponsePermit(
    #[expect(dead_code, reason = "given back when dropped")] OwnedSemaphorePermit,
);

impl OverloadResponder {
    pub(super) fn new(problem: Problem) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            wire: problem.into_wire().into(),
        }
    }

    /// Takes a permit. `None` if too many connections are being closed; then this one is dropped
    /// without a response.
    pub(super) fn permit(&self) -> Option<ResponsePermit> {
        Arc::clone(&self.permits)
            .try_acquire_owned()
            .ok()
            .map(ResponsePermit)
    }

    pub(super) async fn respond(&self, mut stream: TcpStream, _permit: ResponsePermit) {
        let _ = tokio::time::timeout(PATIENCE, stream.readable()).await;
        // The kernel's buffer accepts the response at once. If it does not, the peer gets none.
        if stream.try_write(&self.wire).is_ok() {
            linger(&mut stream).await;
        }
    }
}
