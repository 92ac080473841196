//! Logs refused requests, at most one line in ten seconds for each source and reason.

use crate::throttle::LogThrottle;
use parking_lot::Mutex;
use std::{collections::HashMap, time::Instant};

/// The log throttles by source and reason. Both are bounded sets.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<(String, &'static str), LogThrottle>>);

impl Refusals {
    /// Counts a refused request, and logs if a line is due.
    pub(super) fn warn(&self, source: &str, reason: &'static str) {
        if let Some(count) = self.count(source, reason, Instant::now()) {
            tracing::warn!(
                source,
                reason,
                count,
                "requests were rejected and none of them is stored as an event; if the sender is genuine, see \
                 hookfast.source.rejecting in docs/RUNBOOK.md"
            );
        }
    }

    /// The number of refused requests since the last line, including this one, if a line is due.
    fn count(&self, source: &str, reason: &'static str, now: Instant) -> Option<u64> {
        let mut throttles = self.0.lock();
        let throttle = throttles
            .entry((source.to_owned(), reason))
            .or_insert_with(LogThrottle::new);
        throttle.pass(now).map(|left_out| left_out + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Refusals;
    use std::time::{Duration, Instant};

    #[test]
    fn each_source_and_reason_has_its_own_line_and_count() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.count("shop", "wrong_signature", start), Some(1));
        assert_eq!(refusals.count("shop", "wrong_signature", start), None);
        assert_eq!(refusals.count("shop", "too_large", start), Some(1));
        assert_eq!(refusals.count("airalo", "wrong_signature", start), Some(1));
        assert_eq!(
            refusals.count("shop", "wrong_signature", start + Duration::from_secs(10)),
            Some(2)
        );
    }
}
