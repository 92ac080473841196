//! What a connection past the limit gets: one canned answer, and the time to read it.

use super::{Problem, connection::linger};
use bytes::Bytes;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::Semaphore};

/// How many farewells may be said at once. Past that connections are just dropped: under a flood the answers must
/// not become a load of their own.
const AT_ONCE: usize = 64;

/// How long to wait for the request's first bytes: many clients take an answer that comes before their question for
/// an error.
const PATIENCE: Duration = Duration::from_millis(250);

/// Says the canned answer to connections that cannot be served.
pub(super) struct Farewells {
    permits: Arc<Semaphore>,
    wire: Bytes,
}

impl Farewells {
    pub(super) fn new(problem: Problem) -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_ONCE)), wire: problem.into_wire().into() }
    }

    /// The farewell to run, or `None` where too many are being said: the connection is then closed already.
    pub(super) fn say(&self, mut stream: TcpStream) -> Option<impl Future<Output = ()> + Send + use<>> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let wire = self.wire.clone();
        Some(async move {
            let _permit = permit;
            let _ = tokio::time::timeout(PATIENCE, stream.readable()).await;
            // The kernel's buffer takes it at once; a peer that cannot even take this gets nothing.
            if stream.try_write(&wire).is_ok() {
                linger(&mut stream).await;
            }
        })
    }
}
