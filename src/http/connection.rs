//! One connection: HTTP/1 only, with a clock on every phase in which the peer could keep us waiting.
//!
//! hyper has one time-out for a request's head, which also runs between requests: 5 s is right for the one and breaks
//! proxies that keep connections open for the next request. So the clock is ours ([`Watch`]), and hyper's is off.

use super::watch::{Watch, Watched};
use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a connection that we close is still read, so that the peer gets to our answer: closing with unread bytes
/// in the buffer resets the connection, and the answer is lost.
const LINGER: Duration = Duration::from_secs(1);

/// hyper refuses a smaller buffer.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// What one peer may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Bytes of a request's line and headers.
    pub(crate) header_bytes: usize,
    /// From the connection, or from a request's first byte, to the end of its headers.
    pub(crate) header_time: Duration,
    /// From an answer to the next request's first byte.
    pub(crate) idle_time: Duration,
}

impl Default for ConnectionLimits {
    /// 64 connections, 32 KiB and 5 s for headers, 75 s idle.
    fn default() -> Self {
        Self {
            connections: 64,
            header_bytes: 32 * 1024,
            header_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(75),
        }
    }
}

/// Serves the connection until either side ends it. Once `shutdown` is cancelled a request in flight is still
/// answered, then the connection is closed; an idle one at once.
pub(super) async fn run(stream: TcpStream, router: Router, limits: ConnectionLimits, shutdown: CancellationToken) {
    let watch = Arc::new(Watch::new(limits.header_time, limits.idle_time));
    let service = service_fn(|request: Request<Incoming>| {
        watch.request();
        let (router, watch) = (router.clone(), Arc::clone(&watch));
        async move {
            let response = router.oneshot(request.map(Body::new)).await;
            watch.answered();
            response
        }
    });
    let mut http = http1::Builder::new();
    http.half_close(true)
        .max_buf_size(limits.header_bytes.max(SMALLEST_BUFFER))
        .max_header_size(limits.header_bytes)
        .header_read_timeout(None);
    let mut connection =
        Box::pin(http.serve_connection(TokioIo::new(Watched::new(stream, Arc::clone(&watch))), service));

    let mut stopping = false;
    let failed = loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => break ended.is_err(),
            () = shutdown.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = sleep_until(watch.look_again(Instant::now())) => {
                if watch.is_due(Instant::now()) {
                    return;
                }
            }
        }
    };
    // A peer that is told to go elsewhere is not waited for.
    if failed || !stopping {
        let mut socket = Pin::into_inner(connection).into_parts().io.into_inner();
        linger(socket.get_mut()).await;
    }
}

/// Says that nothing more comes from us, then reads and throws away what the peer still sends, until it closes its
/// side too or the time is over.
pub(super) async fn linger(stream: &mut TcpStream) {
    let mut scratch = vec![0; 4096];
    let drained = async {
        if stream.shutdown().await.is_ok() {
            while matches!(stream.read(&mut scratch).await, Ok(n) if n > 0) {}
        }
    };
    let _ = timeout(LINGER, drained).await;
}
