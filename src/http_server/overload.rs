//! What a connection past the limit gets: one canned answer, and the time to read it.

use super::{Problem, connection::linger};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// How many farewells may be said at once. Past that connections are just dropped: under a flood the answers must
/// not become a load of their own.
const AT_ONCE: usize = 64;

/// How long to wait for the request's first bytes: many clients take an answer that comes before their question for
/// an error.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);

/// Says the canned answer to connections that cannot be served.
pub(super) struct OverloadResponder {
    permits: Arc<Semaphore>,
    wire: Bytes,
}

/// One of the farewells that may be said at once. A connection that has one may stay open for a moment although it
/// has lost its place.
pub(super) struct Leave(
    #[expect(dead_code, reason = "given back when dropped")] OwnedSemaphorePermit,
);

impl OverloadResponder {
    pub(super) fn new(problem: Problem) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            wire: problem.into_wire().into(),
        }
    }

    /// `None` if too many connections are being closed: this one is to be dropped without a word.
    pub(super) fn leave(&self) -> Option<Leave> {
        Arc::clone(&self.permits)
            .try_acquire_owned()
            .ok()
            .map(Leave)
    }

    /// Says the canned answer.
    pub(super) async fn say(&self, mut stream: TcpStream, _leave: Leave) {
        let _ = tokio::time::timeout(PATIENCE, stream.readable()).await;
        // The kernel's buffer takes it at once; a peer that cannot even take this gets nothing.
        if stream.try_write(&self.wire).is_ok() {
            linger(&mut stream).await;
        }
    }
}
