//! The clock of one connection: which phase it is in, and until when that may last.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// hyper doubles its buffer of 8 KiB when a read has filled it, up to the limit for headers, and keeps it: a thousand
/// connections that send large bodies slowly would hold 32 MiB and more in empty buffers. No read fills this one.
const READ_AT_MOST: usize = 8 * 1024 - 1;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Between two requests; also while an answer is written, so that a peer that does not read it is let go.
    Idle { until: Instant },
    /// A request's head is awaited, or being sent.
    Head { until: Instant },
    /// A request is being handled; its body has a clock of its own.
    Busy,
}

/// What the socket, the service and the connection's driver tell each other.
pub(super) struct Watch {
    header_time: Duration,
    idle_time: Duration,
    phase: Mutex<Phase>,
}

impl Watch {
    /// A new connection: its first head is due in `header_time`, said or not.
    pub(super) fn new(header_time: Duration, idle_time: Duration) -> Self {
        let phase = Phase::Head { until: Instant::now() + header_time };
        Self { header_time, idle_time, phase: Mutex::new(phase) }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes_came(&self) {
        let mut phase = self.phase();
        if let Phase::Idle { .. } = *phase {
            *phase = Phase::Head { until: Instant::now() + self.header_time };
        }
    }

    /// A head is complete.
    pub(super) fn request(&self) {
        *self.phase() = Phase::Busy;
    }

    /// The answer is there.
    pub(super) fn answered(&self) {
        *self.phase() = Phase::Idle { until: Instant::now() + self.idle_time };
    }

    /// Whether the phase has lasted too long.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        match *self.phase() {
            Phase::Idle { until } | Phase::Head { until } => until <= now,
            Phase::Busy => false,
        }
    }

    /// When to look again: at the phase's end, or before one that begins in the meantime could be over.
    pub(super) fn look_again(&self, now: Instant) -> Instant {
        let soonest = now + self.header_time.min(self.idle_time);
        match *self.phase() {
            Phase::Idle { until } | Phase::Head { until } => until.min(soonest),
            Phase::Busy => soonest,
        }
    }
}

/// A socket that tells its watch when bytes come.
pub(super) struct Watched {
    stream: TcpStream,
    watch: Arc<Watch>,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, watch: Arc<Watch>) -> Self {
        Self { stream, watch }
    }

    pub(super) fn get_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let most = buf.remaining().min(READ_AT_MOST);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        let came = part.filled().len();
        buf.advance(came);
        if came > 0 {
            self.watch.bytes_came();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_begins_while_idle_has_its_own_short_time() {
        let (header, idle) = (Duration::from_secs(5), Duration::from_secs(75));
        let watch = Watch::new(header, idle);
        let start = Instant::now();
        assert!(!watch.is_due(start) && watch.is_due(start + header), "a connection that says nothing");

        watch.request();
        assert!(!watch.is_due(start + 100 * idle), "while it is handled the peer keeps nobody waiting");
        watch.answered();
        assert!(!watch.is_due(start + header) && watch.is_due(Instant::now() + idle));
        assert!(watch.look_again(start) <= start + header, "a head may begin any time");

        watch.bytes_came();
        let begun = Instant::now();
        assert!(!watch.is_due(start + Duration::from_secs(4)) && watch.is_due(begun + header));
        watch.bytes_came();
        assert!(watch.is_due(begun + header), "a byte now and then does not prolong it");
    }
}
