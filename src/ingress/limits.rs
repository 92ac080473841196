//! What senders may cost: the limits, and the room for bodies in flight.

use crate::http::ConnectionLimits;
use axum::http::HeaderMap;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What the ingress takes at most. Past a limit the answer is a clear problem, at once.
///
/// With the defaults the ingress takes some 125 MB at most, whatever comes: 64 MiB of bodies, 16 MiB of headers, and
/// a read buffer of up to 32 KiB a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one body; more is 413. Default 1 MiB.
    pub body_bytes: usize,
    /// Bytes of a request's line and headers (and 100 headers); more is 431. Default 32 KiB.
    pub header_bytes: usize,
    /// From the connection, or from a request's first byte, to the end of its headers; then the connection is
    /// closed. Default 5 s.
    pub header_time: Duration,
    /// From the end of the headers to the end of the body; then 408. Default 10 s.
    pub body_time: Duration,
    /// From an answer to the next request on the same connection. Longer than proxies usually keep connections to
    /// us open, so that none sends into one that is being closed. Default 75 s.
    pub idle_time: Duration,
    /// Connections at once; one more gets 503 and is closed. Default 1,024.
    pub connections: usize,
    /// Bytes of all bodies in memory, until they are stored; past it 503. Default 64 MiB.
    pub bodies_in_flight: usize,
    /// About as many bytes of memory the headers of all requests in flight may take; past it 503. Default 16 MiB:
    /// four times what a thousand usual requests take.
    pub headers_in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            header_bytes: 32 * 1024,
            header_time: Duration::from_secs(5),
            body_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            connections: 1024,
            bodies_in_flight: 64 * 1024 * 1024,
            headers_in_flight: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    pub(super) fn of_connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            connections: self.connections,
            header_bytes: self.header_bytes,
            header_time: self.header_time,
            idle_time: self.idle_time,
        }
    }
}

/// What a header takes beside its text, in the map's index.
const INDEX_OF_HEADER: usize = 128;

/// About how many bytes of memory these headers take: their text lies in a buffer that was doubled as it came. It
/// is counted because a thousand connections could each hold 30 KiB of headers back with a slow body.
pub(super) fn memory_of(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| (name.as_str().len() + value.len()) * 2 + INDEX_OF_HEADER).sum()
}

/// The room for what is in flight, in bytes.
#[derive(Debug)]
pub(super) struct Room {
    free: AtomicUsize,
}

/// There is no room for that much more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Room {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { free: AtomicUsize::new(bytes) })
    }

    /// A share of nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { room: Arc::clone(self), bytes: 0 }
    }
}

/// The part of the room that a body, or a request's headers, take; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Share {
    /// Takes more, or gives back, so that it is `bytes`.
    ///
    /// # Errors
    /// [`Full`]; the share stays as it was.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), Full> {
        if let Some(more) = bytes.checked_sub(self.bytes) {
            let take = |free: usize| free.checked_sub(more);
            self.room.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| Full)?;
        } else {
            self.room.free.fetch_add(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.free.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let room = Room::new(10);
        let (mut a, mut b) = (room.share(), room.share());
        assert_eq!(a.resize(7), Ok(()));
        assert_eq!(b.resize(4), Err(Full));
        assert_eq!(b.resize(3), Ok(()));
        assert_eq!(a.resize(2), Ok(()));
        assert_eq!(b.resize(8), Ok(()));
        drop((a, b));
        assert_eq!(room.free.load(Ordering::Relaxed), 10);
    }

    proptest! {
        #[test]
        fn the_room_is_never_exceeded_and_always_given_back(sizes in prop::collection::vec((0usize..4, 0usize..40), 0..50)) {
            let room = Room::new(64);
            let mut shares: Vec<_> = (0..4).map(|_| room.share()).collect();
            for (which, size) in sizes {
                let _ = shares[which].resize(size);
                let taken: usize = shares.iter().map(|share| share.bytes).sum();
                prop_assert_eq!(taken + room.free.load(Ordering::Relaxed), 64);
            }
            drop(shares);
            prop_assert_eq!(room.free.load(Ordering::Relaxed), 64);
        }
    }
}
