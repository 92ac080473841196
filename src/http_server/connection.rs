//! Serves one connection. It speaks HTTP/1 only, and each phase in which the peer could make the
//! server wait has a time limit.
//!
//! hyper has one timeout for a request's head, which also runs between requests. 5 s is right for a
//! head, but breaks proxies that keep connections open for the next request. So this module uses
//! its own clock ([`PhaseTimer`]), and hyper's timeout is off.

use super::{
    PeerAddress, Unserved,
    overload::{OverloadResponder, PATIENCE, ResponsePermit},
    phase_timer::{Phase, PhaseTimer},
    table::Entry,
    timed_stream::{WatchedBody, WatchedStream},
};
use axum::{Router, body::Body, http::Request};
use hyper::{body::Body as _, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a connection that the server closes is still read, so that the peer can read the
/// response. Closing with unread bytes in the buffer resets the connection, and the response is
/// lost.
const LINGER: Duration = Duration::from_secs(1);

/// hyper rejects a smaller buffer.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// The limits for the connections of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    /// The largest number of connections at the same time.
    pub(crate) connections: usize,
    /// The largest size of a request's line and headers, in bytes.
    pub(crate) header_bytes: usize,
    /// The time from the start of the connection, or from a request's first byte, to the end of its
    /// headers.
    pub(crate) header_time: Duration,
    /// The time from a response to the next request's first byte.
    pub(crate) idle_time: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            header_bytes: 32 * 1024,
            header_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(75),
        }
    }
}

/// The state that all connections of a server share.
pub(super) struct Shared<F> {
    pub(super) router: Router,
    pub(super) limits: ConnectionLimits,
    pub(super) overload: OverloadResponder,
    /// Called for each request or connection that no handler answers, with the beginning of the
    /// request's head.
    pub(super) unserved: F,
    pub(super) shutdown: CancellationToken,
}

/// How the exchange of requests and responses ended.
enum ConnectionEnd {
    /// One side ended it, or hyper could not parse the peer's bytes.
    Http(Option<hyper::Error>),
    /// A phase took too long.
    TimedOut,
    /// The connection is closed in favour of another one, and no handler will answer. With a permit
    /// it gets the overload response.
    Evicted(Option<ResponsePermit>),
}

/// Serves the connection until one side ends it or it is closed in favour of another one. Once
/// `shutdown` is cancelled, a request in flight is still answered before the connection is closed.
/// An idle connection is closed at once.
pub(super) async fn run(
    stream: TcpStream,
    peer: Option<PeerAddress>,
    entry: Entry,
    shared: &Shared<impl Fn(Unserved, &[u8])>,
) {
    let watch = Arc::clone(&entry.watch);
    let service = service_fn(|request: Request<Incoming>| {
        watch.request(!request.body().is_end_stream());
        let (router, watch) = (shared.router.clone(), Arc::clone(&watch));
        let mut request = request.map(|body| Body::new(WatchedBody::new(body, Arc::clone(&watch))));
        request.extensions_mut().insert(entry.rivals());
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        async move {
            let response = router.oneshot(request).await;
            watch.answered();
            response
        }
    });
    let mut http = http1::Builder::new();
    http.half_close(true)
        .max_buf_size(shared.limits.header_bytes.max(SMALLEST_BUFFER))
        .max_header_size(shared.limits.header_bytes)
        .header_read_timeout(None);
    let mut connection = Box::pin(http.serve_connection(
        TokioIo::new(WatchedStream::new(stream, Arc::clone(&watch))),
        service,
    ));

    let (mut stopping, mut answering) = (false, None);
    let ended = loop {
        let next_check = answering
            .as_ref()
            .map_or_else(|| watch.next_check(Instant::now()), |(until, _)| *until);
        tokio::select! {
            biased;
            ended = connection.as_mut() => break ConnectionEnd::Http(ended.err()),
            () = shared.shutdown.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            evicted_in = watch.evicted(), if answering.is_none() => {
                if evicted_in == Phase::Idle {
                    (shared.unserved)(Unserved::IdleEvicted, &[]);
                }
                let permit = shared.overload.permit();
                match watch.phase() {
                    // No request has arrived, or too little of one to be handled.
                    Phase::Head => break ConnectionEnd::Evicted(permit),
                    // The request became complete just now.
                    Phase::Handling => {}
                    // The handler sees its body end early and has a moment to answer. An idle
                    // connection ends by itself.
                    Phase::Body | Phase::Idle | Phase::Closing if permit.is_some() => {}
                    Phase::Body | Phase::Idle | Phase::Closing => break ConnectionEnd::Evicted(None),
                }
                connection.as_mut().graceful_shutdown();
                answering = Some((Instant::now() + PATIENCE, permit));
            }
            () = sleep_until(next_check) => match &mut answering {
                Some((until, _)) if watch.phase() == Phase::Handling => *until = Instant::now() + PATIENCE,
                Some(_) => break ConnectionEnd::Evicted(None),
                None if watch.is_due(Instant::now()) => break ConnectionEnd::TimedOut,
                None => {}
            }
        }
    };
    let parts = Pin::into_inner(connection).into_parts();
    report(&ended, &watch, &parts.read_buf, shared);
    let stream = parts.io.into_inner().into_inner();
    match ended {
        ConnectionEnd::Evicted(Some(permit)) if !watch.head().is_empty() => {
            shared.overload.respond(stream, permit).await
        }
        ConnectionEnd::Evicted(_) | ConnectionEnd::TimedOut => {}
        // During a shutdown the server does not wait for the peer.
        ConnectionEnd::Http(None) if stopping => {}
        ConnectionEnd::Http(_) => {
            close(
                stream,
                &watch,
                answering.and_then(|(_, permit)| permit),
                &shared.overload,
            )
            .await
        }
    }
}

/// Closes a connection whose last response is written. If it is evicted meanwhile, it needs a
/// permit to stay open until the peer has read the response.
async fn close(
    mut stream: TcpStream,
    watch: &PhaseTimer,
    permit: Option<ResponsePermit>,
    overload: &OverloadResponder,
) {
    watch.closing();
    let mut lingering = pin!(linger(&mut stream));
    tokio::select! {
        () = lingering.as_mut() => {}
        _ = watch.evicted() => {
            let permit = permit.or_else(|| overload.permit());
            if permit.is_some() {
                lingering.await;
            }
        }
    }
}

/// Reports a request that was begun and reached no handler.
fn report(
    ended: &ConnectionEnd,
    watch: &PhaseTimer,
    unread: &[u8],
    shared: &Shared<impl Fn(Unserved, &[u8])>,
) {
    let head = watch.head();
    let unserved = match (ended, watch.phase()) {
        (ConnectionEnd::Http(Some(error)), Phase::Head) => {
            Unserved::by_hyper(error, unread, shared.limits.header_bytes)
        }
        (ConnectionEnd::TimedOut, Phase::Head) if !head.is_empty() => Some(Unserved::HeadTooSlow),
        (ConnectionEnd::Evicted(_), Phase::Head) if head.is_empty() => Some(Unserved::IdleEvicted),
        (ConnectionEnd::Evicted(_), Phase::Head | Phase::Body) => Some(Unserved::RequestEvicted),
        _ => None,
    };
    if let Some(unserved) = unserved {
        (shared.unserved)(unserved, &head);
    }
}

/// Closes the sending side, then reads and discards bytes until the peer closes its side or
/// `LINGER` is over.
pub(super) async fn linger(stream: &mut TcpStream) {
    let mut scratch = vec![0; 4096];
    let drained = async {
        if stream.shutdown().await.is_ok() {
            while matches!(stream.read(&mut scratch).await, Ok(n) if n > 0) {}
        }
    };
    let _ = timeout(LINGER, drained).await;
}
