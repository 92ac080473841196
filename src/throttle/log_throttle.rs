//! A log line that a lasting fault would repeat is written once in ten seconds, with a count of those left out.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The shortest time between two lines.
const PERIOD: Duration = Duration::from_secs(10);

/// Lets one line through per period and counts the others. Usually one for each place that logs: see [`throttled`].
pub(crate) struct LogThrottle(Mutex<State>);

struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl LogThrottle {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State {
            last: None,
            left_out: 0,
        }))
    }

    /// How many were left out since the last line, if a line is due; otherwise `None`, and this one is counted.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < PERIOD)
        {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

/// Logs at most once in ten seconds from this place of the program: for whatever a fault of the database, of a client
/// or of a sender can repeat. Takes a level's name (`warn`), and then what `tracing`'s macro of that name takes.
macro_rules! throttled {
    ($level:ident, $($line:tt)+) => {{
        static THROTTLE: $crate::throttle::LogThrottle = $crate::throttle::LogThrottle::new();
        match THROTTLE.pass(std::time::Instant::now()) {
            Some(0) => tracing::$level!($($line)+),
            Some(left_out) => tracing::$level!(left_out, $($line)+),
            None => {}
        }
    }};
}

pub(crate) use throttled;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_period_with_the_count_of_the_others() {
        let (throttle, start) = (LogThrottle::new(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(throttle.pass(start), Some(0));
        assert_eq!(throttle.pass(after(1)), None);
        assert_eq!(throttle.pass(after(9)), None);
        assert_eq!(throttle.pass(after(10)), Some(2));
        assert_eq!(throttle.pass(after(30)), Some(0));
    }
}
