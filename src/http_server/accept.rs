//! The accept loop. The number of connections is bounded. No error ends the loop; only the shutdown
//! token does.

use super::{
    Problem, Unserved,
    connection::{self, ConnectionLimits, Shared},
    overload::OverloadResponder,
    phase_timer::PhaseTimer,
    table::{Admission, ConnectionTable},
};
use crate::throttle::throttled;
use axum::Router;
use std::{future::Future, io, net::IpAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long to wait after an error that concerns more than one connection, such as too many open
/// files. Meanwhile the waiting connections stay in the kernel's queue.
const PAUSE: Duration = Duration::from_millis(100);

/// The same pause if a connection was closed to free its file descriptor.
const SHORT_PAUSE: Duration = Duration::from_millis(5);

/// Accepts connections. Tests replace it.
pub(crate) trait Accept: Send + 'static {
    /// Waits for the next connection.
    fn accept(&self) -> impl Future<Output = io::Result<TcpStream>> + Send;

    /// Where a connection comes from, if its requests have to say so.
    fn peer(&self, _stream: &TcpStream) -> Option<PeerAddress> {
        None
    }
}

impl Accept for TcpListener {
    async fn accept(&self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Where a request's connection comes from, among the extensions of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

/// A listener whose requests have a [`PeerAddress`].
pub(crate) struct WithPeer(pub(crate) TcpListener);

impl Accept for WithPeer {
    async fn accept(&self) -> io::Result<TcpStream> {
        Accept::accept(&self.0).await
    }

    fn peer(&self, stream: &TcpStream) -> Option<PeerAddress> {
        let peer = stream.peer_addr().ok()?;
        Some(PeerAddress(peer.ip()))
    }
}

/// Serves `router` until `shutdown` is cancelled. Then it accepts no more connections, and returns
/// when every request in flight is answered. Dropping the future closes all connections at once.
///
/// At the connection limit, the connection with the least progress is closed for a new one. If all
/// connections have requests that are being handled, the new one gets `full` (if that is cheap) and
/// is closed. `unserved` is called for every request that reaches no handler, with the beginning of
/// its head.
pub(crate) async fn serve(
    listener: impl Accept,
    router: Router,
    limits: ConnectionLimits,
    full: Problem,
    unserved: impl Fn(Unserved, &[u8]) + Send + Sync + 'static,
    shutdown: CancellationToken,
) {
    let cut = CancellationToken::new();
    let _cut_when_dropped = cut.clone().drop_guard();
    let (table, tracker) = (ConnectionTable::new(limits.connections), TaskTracker::new());
    let shared = Arc::new(Shared {
        router,
        limits,
        overload: OverloadResponder::new(full),
        unserved,
        shutdown,
    });
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                throttled!(warn, %error, "cannot accept connections, retrying; open connections are not affected");
                let freed = is_out_of_files(&error) && table.evict_one();
                tokio::select! {
                    () = shared.shutdown.cancelled() => break,
                    () = tokio::time::sleep(if freed { SHORT_PAUSE } else { PAUSE }) => continue,
                }
            }
        };
        // A response is one small write. Waiting to fill a packet would only delay it.
        let _ = stream.set_nodelay(true);
        let admission = table.admit(PhaseTimer::new(limits.header_time, limits.idle_time));
        if !matches!(admission, Admission::Free(_)) {
            throttled!(
                warn,
                limit = limits.connections,
                "the limit of connections is reached: for a new connection, one that makes little progress is closed, \
                 but never one whose request is being handled. A proxy in front that buffers requests protects \
                 against slow senders"
            );
        }
        let peer = listener.peer(&stream);
        let (shared, cut) = (Arc::clone(&shared), cut.clone());
        match admission {
            Admission::Free(entry) | Admission::Evicted(entry) => {
                tracker.spawn(async move {
                    tokio::select! {
                        () = cut.cancelled() => {}
                        () = connection::run(stream, peer, entry, &shared) => {}
                    }
                });
            }
            Admission::Full => {
                (shared.unserved)(Unserved::NoConnectionFree, &[]);
                if let Some(permit) = shared.overload.permit() {
                    tracker.spawn(async move {
                        tokio::select! {
                            () = cut.cancelled() => {}
                            () = shared.overload.respond(stream, permit) => {}
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

/// Whether the error concerns only the connection that was being accepted, so that the next one can
/// be accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Whether closing a connection helps: the process or the system has no free file descriptor.
fn is_out_of_files(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(nix::libc::EMFILE | nix::libc::ENFILE)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{http::StatusCode, routing::get};
    use std::{
        ops::Range,
        sync::atomic::{AtomicUsize, Ordering},
        time::Instant,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Fails a few times like a process without free file descriptors.
    struct Exhausted {
        failures: Range<usize>,
        calls: Arc<AtomicUsize>,
        listener: TcpListener,
    }

    impl Accept for Exhausted {
        async fn accept(&self) -> io::Result<TcpStream> {
            if self
                .failures
                .contains(&self.calls.fetch_add(1, Ordering::SeqCst))
            {
                return Err(io::Error::from_raw_os_error(nix::libc::EMFILE));
            }
            Accept::accept(&self.listener).await
        }
    }

    struct Running {
        address: std::net::SocketAddr,
        calls: Arc<AtomicUsize>,
        shutdown: CancellationToken,
        server: tokio::task::JoinHandle<()>,
    }

    async fn start(failures: Range<usize>) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let calls = Arc::new(AtomicUsize::new(0));
        let exhausted = Exhausted {
            failures,
            calls: Arc::clone(&calls),
            listener,
        };
        let router = Router::new().route("/", get(|| async { "here" }));
        let full = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", "Full", "");
        let (limits, shutdown) = (ConnectionLimits::default(), CancellationToken::new());
        let server = tokio::spawn(serve(
            exhausted,
            router,
            limits,
            full,
            |_, _| {},
            shutdown.clone(),
        ));
        Running {
            address,
            calls,
            shutdown,
            server,
        }
    }

    /// Sends a request on its own connection and reads until the end.
    async fn exchange(address: std::net::SocketAddr) -> String {
        let mut client = TcpStream::connect(address)
            .await
            .expect("the kernel's queue");
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .await
            .expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    #[tokio::test]
    async fn running_out_of_files_neither_ends_the_loop_nor_spins() {
        let started = Instant::now();
        let running = start(0..3).await;
        let answer = exchange(running.address).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"),
            "{answer}"
        );
        assert!(
            started.elapsed() >= 3 * PAUSE,
            "it waited after each failure"
        );
        assert_eq!(
            running.calls.load(Ordering::SeqCst),
            5,
            "three failures, one connection, and waiting for the next"
        );

        running.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(10), running.server)
            .await
            .expect("ends")
            .expect("without a panic");
    }

    #[tokio::test]
    async fn running_out_of_files_closes_the_longest_idle_connection() {
        let running = start(2..3).await;
        let mut idle = TcpStream::connect(running.address)
            .await
            .expect("the kernel's queue");
        // The first request after it fails: there is no file descriptor for another connection.
        assert!(exchange(running.address).await.starts_with("HTTP/1.1 200"));
        let closed = tokio::time::timeout(Duration::from_secs(4), idle.read(&mut [0])).await;
        assert_eq!(
            closed.expect("before its time is over").expect("no reset"),
            0
        );
        assert!(exchange(running.address).await.starts_with("HTTP/1.1 200"));
        running.shutdown.cancel();
    }
}
