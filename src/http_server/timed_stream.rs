//! The socket and the request body of one connection, which report received bytes to its watch.

use super::phase_timer::PhaseTimer;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The largest read. hyper doubles its buffer of 8 KiB when a read has filled it, up to the limit
/// for headers, and keeps it. With a thousand connections that send large bodies slowly, it would
/// hold 32 MiB and more in empty buffers. No read of this size fills the buffer.
const READ_AT_MOST: usize = 8 * 1024 - 1;

/// A socket that reports read bytes to its watch.
pub(super) struct WatchedStream {
    stream: TcpStream,
    watch: Arc<PhaseTimer>,
}

impl WatchedStream {
    pub(super) fn new(stream: TcpStream, watch: Arc<PhaseTimer>) -> Self {
        Self { stream, watch }
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = buf.remaining().min(READ_AT_MOST);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        if !part.filled().is_empty() {
            self.watch.bytes_read(part.filled());
        }
        let received = part.filled().len();
        buf.advance(received);
        read
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The connection was closed for another one.
    #[error("the connection was closed for another one")]
    Evicted,
    /// The peer stopped early, or its chunks are malformed.
    #[error(transparent)]
    Received(hyper::Error),
}

/// A request body that reports received bytes to its watch. It ends early if the connection is
/// evicted, so that the handler can still answer.
pub(super) struct WatchedBody {
    body: Incoming,
    watch: Arc<PhaseTimer>,
}

impl WatchedBody {
    pub(super) fn new(body: Incoming, watch: Arc<PhaseTimer>) -> Self {
        Self { body, watch }
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body)
            .poll_frame(cx)
            .map_err(BodyError::Received);
        match &polled {
            Poll::Pending if self.watch.poll_evicted(cx) => {
                return Poll::Ready(Some(Err(BodyError::Evicted)));
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.watch.body_read(data.len());
                }
                if self.body.is_end_stream() {
                    self.watch.body_ended();
                }
            }
            Poll::Ready(None) => self.watch.body_ended(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
