//! The clock of one connection: its phase, the time limit of the phase, and its rank among the
//! connections that may be closed.

use super::Pace;
use parking_lot::{Mutex, MutexGuard};
use std::{
    task::{Context, Waker},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The rate at which a peer must send to rank above a connection that was opened just now. It is
/// far above any minimum rate, because it only decides which connection is closed first.
const FULL_SPEED: usize = 64 * 1024;

/// How much of a request's head is kept, to find its address if it never becomes a request.
const HEAD_KEPT: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// Between two requests. Also while a response is written, so that a peer that does not read it
    /// is closed.
    Idle,
    /// The server waits for a request's head, or is receiving it.
    Head,
    /// The server is receiving a request's body.
    Body,
    /// The handler has the request, so the server does not wait for the peer.
    Handling,
    /// The exchange is over, and the peer has a moment to read the response.
    Closing,
}

/// The order in which connections are closed: first those that are over already, then those with
/// the least progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    in_use: bool,
    paid_until: Instant,
}

struct State {
    phase: Phase,
    /// When the phase has lasted too long. Bodies have their own time limit.
    until: Option<Instant>,
    pace: Pace,
    /// The beginning of the request's head. It is empty if nothing of it has been received.
    head: Vec<u8>,
    body_bytes: usize,
    body_reader: Option<Waker>,
    evicted_in: Option<Phase>,
}

/// The state that the socket, the service, the connection's driver and the table of connections
/// share.
pub(super) struct PhaseTimer {
    header_time: Duration,
    idle_time: Duration,
    state: Mutex<State>,
    evicted: CancellationToken,
}

impl PhaseTimer {
    /// Starts a new connection. Its first head must be complete within `header_time`, even if the
    /// peer sends nothing.
    pub(super) fn new(header_time: Duration, idle_time: Duration) -> Self {
        let now = Instant::now();
        let state = State {
            phase: Phase::Head,
            until: Some(now + header_time),
            pace: Pace::new(FULL_SPEED, now),
            head: Vec::new(),
            body_bytes: 0,
            body_reader: None,
            evicted_in: None,
        };
        Self {
            header_time,
            idle_time,
            state: Mutex::new(state),
            evicted: CancellationToken::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn enter(&self, phase: Phase, time: Option<Duration>) {
        let now = Instant::now();
        let mut state = self.state();
        state.phase = phase;
        state.until = time.map(|time| now + time);
        state.pace = Pace::new(FULL_SPEED, now);
        state.body_bytes = 0;
        state.body_reader = None;
    }

    /// Records bytes that were read from the socket.
    pub(super) fn bytes_read(&self, bytes: &[u8]) {
        let idle = self.state().phase == Phase::Idle;
        if idle {
            self.enter(Phase::Head, Some(self.header_time));
        }
        let mut state = self.state();
        if state.phase == Phase::Head {
            state.pace.received(bytes.len(), Instant::now());
            let kept = bytes.len().min(HEAD_KEPT - state.head.len());
            state.head.extend_from_slice(&bytes[..kept]);
        }
    }

    /// Records that a head is complete.
    pub(super) fn request(&self, has_body: bool) {
        self.enter(
            if has_body {
                Phase::Body
            } else {
                Phase::Handling
            },
            None,
        );
    }

    /// Records bytes of the body that the handler has received.
    pub(super) fn body_read(&self, bytes: usize) {
        let mut state = self.state();
        state.body_bytes += bytes;
        state.pace.received(bytes, Instant::now());
    }

    /// Records that the handler has the whole body.
    pub(super) fn body_ended(&self) {
        self.state().phase = Phase::Handling;
    }

    /// Records that the handler has answered.
    pub(super) fn answered(&self) {
        self.enter(Phase::Idle, Some(self.idle_time));
        self.state().head.clear();
    }

    /// Records that nothing more is read or answered.
    pub(super) fn closing(&self) {
        self.enter(Phase::Closing, None);
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    pub(super) fn head(&self) -> Vec<u8> {
        self.state().head.clone()
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.state().until.is_some_and(|until| until <= now)
    }

    /// When to check the time limit again: at the end of the phase, or before a phase that begins
    /// meanwhile could end.
    pub(super) fn next_check(&self, now: Instant) -> Instant {
        let soonest = now + self.header_time.min(self.idle_time);
        self.state()
            .until
            .map_or(soonest, |until| until.min(soonest))
    }

    /// The rank among the connections that may be closed: the lowest is closed first. `None` if the
    /// server does not wait for the peer, or if the connection holds less than `holding` bytes of a
    /// body.
    pub(super) fn rank(&self, holding: usize) -> Option<Rank> {
        let state = self.state();
        let waits_for_us = state.phase == Phase::Handling;
        let rank = Rank {
            in_use: state.phase != Phase::Closing,
            paid_until: state.pace.paid_until(),
        };
        (!waits_for_us && state.body_bytes >= holding).then_some(rank)
    }

    /// Notifies the driver and the reader of the body that the connection is closed in favour of
    /// another one.
    pub(super) fn evict(&self) {
        let mut state = self.state();
        state.evicted_in = Some(state.phase);
        let reader = state.body_reader.take();
        drop(state);
        self.evicted.cancel();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Completes when the connection is evicted. Returns the phase it was in.
    pub(super) async fn evicted(&self) -> Phase {
        self.evicted.cancelled().await;
        self.state().evicted_in.unwrap_or(Phase::Closing)
    }

    /// Whether the connection was evicted. If not, the reader of the body is woken at the eviction.
    pub(super) fn poll_evicted(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state();
        state.body_reader = Some(cx.waker().clone());
        state.evicted_in.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(5);
    const IDLE: Duration = Duration::from_secs(75);

    #[test]
    fn a_head_that_begins_while_idle_has_its_own_short_time() {
        let watch = PhaseTimer::new(HEADER, IDLE);
        let start = Instant::now();
        assert!(
            !watch.is_due(start) && watch.is_due(start + HEADER),
            "a silent connection"
        );

        watch.request(false);
        assert!(
            !watch.is_due(start + 100 * IDLE),
            "while it is handled the peer does not delay the server"
        );
        watch.answered();
        assert!(!watch.is_due(start + HEADER) && watch.is_due(Instant::now() + IDLE));
        assert!(
            watch.next_check(start) <= start + HEADER,
            "a head may begin any time"
        );

        watch.bytes_read(b"P");
        let begun = Instant::now();
        assert!(!watch.is_due(start + Duration::from_secs(4)) && watch.is_due(begun + HEADER));
        watch.bytes_read(b"O");
        assert!(
            watch.is_due(begun + HEADER),
            "a byte now and then does not prolong it"
        );
        assert_eq!(watch.head(), b"PO");
    }

    #[test]
    fn only_a_peer_that_is_waited_for_has_a_rank_and_bytes_raise_it() {
        let watch = PhaseTimer::new(HEADER, IDLE);
        let silent = watch.rank(0).expect("its head is awaited");
        watch.bytes_read(&[b'x'; 1000]);
        assert!(watch.rank(0) > Some(silent));
        watch.request(true);
        watch.body_read(300);
        assert!(
            watch.rank(300).is_some() && watch.rank(301).is_none(),
            "by what it holds of a body"
        );
        watch.body_ended();
        assert_eq!(watch.rank(0), None, "it waits for us");
        watch.answered();
        let idle = watch.rank(0);
        watch.closing();
        assert!(
            watch.rank(0).is_some() && watch.rank(0) < idle,
            "nothing is lost with it"
        );
    }
}
