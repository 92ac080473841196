//! A log line that trouble repeats a thousand times a second is written once in a while, with a count.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lets one line through per period and counts those it holds back.
pub(crate) struct Seldom {
    period: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

impl Seldom {
    /// One line a `period`.
    pub(crate) fn new(period: Duration) -> Self {
        Self { period, state: Mutex::default() }
    }

    /// How many were held back since the last line, where a line is due; otherwise `None`, and this one is counted.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < self.period) {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_period_with_the_count_of_the_others() {
        let (seldom, start) = (Seldom::new(Duration::from_secs(10)), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(seldom.pass(start), Some(0));
        assert_eq!(seldom.pass(after(1)), None);
        assert_eq!(seldom.pass(after(9)), None);
        assert_eq!(seldom.pass(after(10)), Some(2));
        assert_eq!(seldom.pass(after(30)), Some(0));
    }
}
