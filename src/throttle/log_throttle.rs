//! Limits a log line that a lasting fault would repeat to one in ten seconds, with a count of the
//! omitted ones.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// The shortest time between two lines.
const PERIOD: Duration = Duration::from_secs(10);

/// Lets one line pass per period and counts the others. Usually each log statement has its own: see
/// [`throttled`].
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

    /// The number of lines omitted since the last one, if a line is due. Otherwise `None`, and this
    /// one is counted as omitted.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock();
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

/// Logs at most once in ten seconds from this statement, for a fault of the database, a client or a
/// sender that can repeat. It takes the name of a level (`warn`), then the arguments of `tracing`'s
/// macro of that name.
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
