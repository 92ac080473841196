//! The accept loop: bounded, never ended by an error, ended by a token.

use super::{
    Problem,
    connection::{self, ConnectionLimits},
    farewell::Farewells,
};
use crate::throttle::throttled;
use axum::Router;
use std::{future::Future, io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long to wait after an error that is not one connection's own, such as too many open files. The waiting
/// connections stay in the kernel's queue meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(crate) trait Accept: Send + 'static {
    /// The next connection.
    fn accept(&self) -> impl Future<Output = io::Result<TcpStream>> + Send;
}

impl Accept for TcpListener {
    async fn accept(&self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Serves `router` until `shutdown` is cancelled; then accepts no more, and returns when every request in flight is
/// answered. Dropping the future ends all connections at once.
///
/// A connection past the limit gets `full` (as far as that is cheap) and is closed; `turned_away` hears of each.
pub(crate) async fn serve(
    listener: impl Accept,
    router: Router,
    limits: ConnectionLimits,
    full: Problem,
    turned_away: impl Fn() + Send,
    shutdown: CancellationToken,
) {
    let cut = CancellationToken::new();
    let _cut_when_dropped = cut.clone().drop_guard();
    let slots = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let (tracker, farewells) = (TaskTracker::new(), Farewells::new(full));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                throttled!(warn, %error, "cannot accept connections; those that are open go on, trying again");
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(PAUSE) => continue,
                }
            }
        };
        // An answer is one small write: waiting to fill a packet only delays it.
        let _ = stream.set_nodelay(true);
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => {
                let (router, shutdown, cut) = (router.clone(), shutdown.clone(), cut.clone());
                tracker.spawn(async move {
                    let _slot = slot;
                    tokio::select! {
                        () = cut.cancelled() => {}
                        () = connection::run(stream, router, limits, shutdown) => {}
                    }
                });
            }
            Err(_) => {
                turned_away();
                throttled!(warn, limit = limits.connections, "as many connections as may be are open; turned one away");
                if let Some(farewell) = farewells.say(stream) {
                    let cut = cut.clone();
                    tracker.spawn(async move {
                        tokio::select! {
                            () = cut.cancelled() => {}
                            () = farewell => {}
                        }
                    });
                }
            }
        }
    }
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

/// Whether only the connection that was being accepted is concerned, so that the next can be taken at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{http::StatusCode, routing::get};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Fails like a process without free file descriptors, a few times, then accepts.
    struct Exhausted {
        failures: usize,
        asked: Arc<AtomicUsize>,
        listener: TcpListener,
    }

    impl Accept for Exhausted {
        async fn accept(&self) -> io::Result<TcpStream> {
            if self.asked.fetch_add(1, Ordering::SeqCst) < self.failures {
                return Err(io::Error::from_raw_os_error(nix::libc::EMFILE));
            }
            Accept::accept(&self.listener).await
        }
    }

    #[tokio::test]
    async fn running_out_of_files_neither_ends_the_loop_nor_spins() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let exhausted = Exhausted { failures: 3, asked: Arc::clone(&asked), listener };
        let router = Router::new().route("/", get(|| async { "here" }));
        let full = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", "Full", "");
        let shutdown = CancellationToken::new();
        let started = Instant::now();
        let server = tokio::spawn(serve(exhausted, router, ConnectionLimits::default(), full, || {}, shutdown.clone()));

        let mut client = TcpStream::connect(address).await.expect("the kernel's queue");
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        assert!(started.elapsed() >= 3 * PAUSE, "it waited after each failure");
        assert_eq!(asked.load(Ordering::SeqCst), 5, "three failures, one connection, and waiting for the next");

        shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(10), server).await.expect("ends").expect("without a panic");
    }
}
