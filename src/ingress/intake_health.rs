//! Whether requests are being stored, for the readiness of the ingress.

use crate::telemetry::health::Readiness;
use parking_lot::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The readiness condition: requests can be stored.
pub(crate) const INTAKE: &str = "intake";

/// The failure reported if no writer has a connection.
pub(crate) const NOT_CONNECTED: &str =
    "no connection for storing requests; webhooks get 503 until there is one";

const REFUSED: &str =
    "the database did not store the last requests; webhooks get 503 until it does";

const UNANSWERED: &str =
    "requests wait for their commit, and the database has not responded for some seconds";

/// A commit takes milliseconds. If one is pending and the database has responded to none for this
/// long, the intake does not work, even if the connection looks healthy.
const SILENCE: Duration = Duration::from_secs(3);

/// The state of the database as the writers see it.
#[derive(Debug)]
pub(super) struct IntakeHealth(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The number of writers with a connection.
    connected: usize,
    /// When each pending call to the database began.
    pending: Vec<Instant>,
    /// When the database last responded.
    answered: Instant,
    /// Whether the last group was stored, except for requests that the database rejected.
    stores: bool,
}

/// A pending call to the database.
pub(super) struct PendingCall(Instant);

impl State {
    fn remove_pending(&mut self, PendingCall(call): PendingCall) {
        if let Some(i) = self.pending.iter().position(|other| *other == call) {
            self.pending.swap_remove(i);
        }
    }
}

impl IntakeHealth {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            connected: 0,
            pending: Vec::new(),
            answered: Instant::now(),
            stores: true,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.state().connected > 0
    }

    /// Whether the last group was stored, as far as is known.
    pub(super) fn stores(&self) -> bool {
        self.state().stores
    }

    pub(super) fn connected(&self) {
        self.state().connected += 1;
    }

    pub(super) fn disconnected(&self) {
        self.state().connected -= 1;
    }

    /// Records that a writer waits for the database.
    pub(super) fn call_started(&self, now: Instant) -> PendingCall {
        self.state().pending.push(now);
        PendingCall(now)
    }

    /// Records that the database stored a group, or that it responded to a check.
    pub(super) fn answered(&self, call: PendingCall, now: Instant) {
        let mut state = self.state();
        state.remove_pending(call);
        (state.stores, state.answered) = (true, now);
    }

    /// Records that a group was not stored, even on a new connection.
    pub(super) fn refused(&self, call: PendingCall) {
        let mut state = self.state();
        state.remove_pending(call);
        state.stores = false;
    }

    /// Records that one connection got no response. That implies nothing about the others.
    pub(super) fn unanswered(&self, call: PendingCall) {
        self.state().remove_pending(call);
    }

    /// Whether requests are stored now, or why not.
    fn verdict(&self, now: Instant) -> Result<(), &'static str> {
        let state = self.state();
        let oldest = state
            .pending
            .iter()
            .min()
            .map(|call| now.saturating_duration_since(*call));
        let silent = now.saturating_duration_since(state.answered);
        match oldest {
            _ if state.connected == 0 => Err(NOT_CONNECTED),
            _ if !state.stores => Err(REFUSED),
            Some(waits) if waits.min(silent) >= SILENCE => Err(UNANSWERED),
            _ => Ok(()),
        }
    }

    pub(super) fn report(&self, readiness: &Readiness) {
        readiness.set(INTAKE, self.verdict(Instant::now()).map_err(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intake_health_follows_the_last_group_and_not_the_connection() {
        let (health, start) = (IntakeHealth::new(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(health.verdict(start), Err(NOT_CONNECTED));
        health.connected();
        health.connected();
        assert_eq!(health.verdict(after(60)), Ok(()), "nobody waits");
        let (one, other) = (
            health.call_started(after(60)),
            health.call_started(after(61)),
        );
        assert_eq!(health.verdict(after(62)), Ok(()));
        assert_eq!(health.verdict(after(63)), Err(UNANSWERED));
        health.answered(other, after(64));
        assert_eq!(
            health.verdict(after(65)),
            Ok(()),
            "one writer waits, and the other stores"
        );
        health.refused(one);
        assert_eq!(health.verdict(after(66)), Err(REFUSED));
        let again = health.call_started(after(67));
        health.answered(again, after(67));
        assert_eq!(health.verdict(after(90)), Ok(()));
        health.disconnected();
        health.disconnected();
        assert_eq!(health.verdict(after(90)), Err(NOT_CONNECTED));
    }
}
