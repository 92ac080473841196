//! The circuit breaker of one handler in this process: a state machine that is given the time and
//! does no I/O.

use crate::domain::{Breaker, Outcome};
use parking_lot::{Mutex, MutexGuard};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often a claimer checks whether a probe has ended.
const PROBING: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Attempts run normally. `run` counts the attempts in a row that found the handler
    /// unavailable.
    Closed { run: u32 },
    /// No attempts until `until`. After that, one probe may run.
    Open { until: Instant, pause: Duration },
    /// The probe is running.
    Probing { until: Instant, pause: Duration },
}

/// How much may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// No limit by the breaker.
    Claim,
    /// One delivery, as a probe.
    Probe,
    /// Nothing for this long.
    Wait(Duration),
}

/// The change of the breaker that an outcome caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// No attempts for this long.
    Opened(Duration),
    /// A probe failed: no attempts again, for this long.
    StaysOpen(Duration),
    /// The handler responds again.
    Closed,
}

#[derive(Debug)]
pub(super) struct Circuit {
    breaker: Breaker,
    state: Mutex<State>,
}

impl Circuit {
    pub(super) fn new(breaker: Breaker) -> Self {
        Self {
            breaker,
            state: Mutex::new(State::Closed { run: 0 }),
        }
    }

    pub(super) fn permission(&self, now: Instant) -> Permission {
        match *self.state() {
            State::Closed { .. } => Permission::Claim,
            State::Open { until, .. } if until <= now => Permission::Probe,
            State::Open { until, .. } => Permission::Wait(until - now),
            State::Probing { .. } => Permission::Wait(PROBING),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.state(), State::Closed { .. })
    }

    /// Makes the delivery claimed next the probe. `None` if the breaker does not wait for a probe.
    pub(super) fn probe(self: &Arc<Self>) -> Option<Probe> {
        let mut state = self.state();
        let State::Open { until, pause } = *state else {
            return None;
        };
        *state = State::Probing { until, pause };
        Some(Probe {
            circuit: self.clone(),
        })
    }

    /// Records the outcome of an attempt that is not a probe. An open breaker ignores it: the
    /// attempt began before the breaker opened and is no evidence of the handler's present state.
    pub(super) fn ended(&self, outcome: &Outcome, now: Instant) -> Option<Change> {
        let mut state = self.state();
        let State::Closed { run } = &mut *state else {
            return None;
        };
        match outcome {
            Outcome::Delivered => *run = 0,
            Outcome::Retry {
                unavailable: true, ..
            } => *run = run.saturating_add(1),
            // These outcomes concern one event, or (`EndpointGone`) pause the handler. They neither count
            // as unavailable nor end the run.
            Outcome::Retry { .. } | Outcome::Dead { .. } | Outcome::EndpointGone { .. } => {}
        }
        // `Breaker::never` has `u32::MAX` here, and `run` can reach that number.
        if *run < self.breaker.after || self.breaker.after == u32::MAX {
            return None;
        }
        let pause = self.breaker.pause;
        *state = State::Open {
            until: now + pause,
            pause,
        };
        Some(Change::Opened(pause))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// The attempt that checks whether the handler is available again. If it is dropped without an
/// outcome, another probe may run.
#[derive(Debug)]
pub(super) struct Probe {
    circuit: Arc<Circuit>,
}

impl Probe {
    /// Closes the breaker on every outcome that shows that the handler responds, also if it rejects
    /// this event.
    pub(super) fn ended(self, outcome: &Outcome, now: Instant) -> Option<Change> {
        let mut state = self.circuit.state();
        let State::Probing { pause, .. } = *state else {
            return None;
        };
        if !matches!(
            outcome,
            Outcome::Retry {
                unavailable: true,
                ..
            }
        ) {
            *state = State::Closed { run: 0 };
            return Some(Change::Closed);
        }
        let pause = (pause * 2).min(self.circuit.breaker.max_pause);
        *state = State::Open {
            until: now + pause,
            pause,
        };
        Some(Change::StaysOpen(pause))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let mut state = self.circuit.state();
        if let State::Probing { until, pause } = *state {
            *state = State::Open { until, pause };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn circuit() -> Arc<Circuit> {
        Arc::new(Circuit::new(Breaker {
            after: 3,
            pause: 5 * SECOND,
            max_pause: 15 * SECOND,
        }))
    }

    fn away() -> Outcome {
        Outcome::unavailable("connection refused")
    }

    #[test]
    fn it_opens_after_a_run_that_a_success_ends_and_a_bad_event_does_not() {
        let (circuit, now) = (circuit(), Instant::now());
        for outcome in [
            away(),
            away(),
            Outcome::Delivered,
            away(),
            Outcome::retry("status 404"),
            away(),
        ] {
            assert_eq!(circuit.ended(&outcome, now), None);
            assert_eq!(circuit.permission(now), Permission::Claim);
        }
        assert_eq!(circuit.ended(&Outcome::dead("status 422"), now), None);
        assert_eq!(
            circuit.ended(&away(), now),
            Some(Change::Opened(5 * SECOND))
        );
        assert_eq!(
            circuit.permission(now + SECOND),
            Permission::Wait(4 * SECOND)
        );
        assert_eq!(
            circuit.ended(&away(), now),
            None,
            "what was on its way changes nothing"
        );
        assert_eq!(circuit.ended(&Outcome::Delivered, now), None);
        assert!(!circuit.is_closed());
    }

    #[test]
    fn one_probe_at_a_time_and_the_pause_doubles_up_to_its_bound() {
        let (circuit, mut now) = (circuit(), Instant::now());
        assert!(circuit.probe().is_none(), "it is closed");
        while circuit.ended(&away(), now).is_none() {}
        for pause in [10, 15, 15] {
            let Permission::Wait(wait) = circuit.permission(now) else {
                panic!("it is open")
            };
            now += wait;
            assert_eq!(circuit.permission(now), Permission::Probe);
            let probe = circuit.probe().expect("one");
            assert!(
                matches!(circuit.permission(now), Permission::Wait(_)) && circuit.probe().is_none()
            );
            assert_eq!(
                probe.ended(&away(), now),
                Some(Change::StaysOpen(pause * SECOND))
            );
        }
        now += 15 * SECOND;
        drop(circuit.probe().expect("one that never ran"));
        assert_eq!(circuit.permission(now), Permission::Probe, "another may");
        let probe = circuit.probe().expect("one");
        assert_eq!(
            probe.ended(&Outcome::retry("status 400"), now),
            Some(Change::Closed),
            "it answers"
        );
        assert_eq!(circuit.permission(now), Permission::Claim);
        assert_eq!(circuit.ended(&away(), now), None, "a new run begins");
    }

    #[test]
    fn a_breaker_that_is_set_to_never_open_stays_closed() {
        let circuit = Circuit {
            breaker: Breaker::never(),
            state: Mutex::new(State::Closed { run: u32::MAX - 1 }),
        };
        for _ in 0..3 {
            assert_eq!(circuit.ended(&away(), Instant::now()), None);
        }
    }
}
