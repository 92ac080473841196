//! Retention periods.

use std::time::Duration;

/// How long each class of data is kept; `None` is forever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Payloads, with their attempts and search terms. Default 90 days.
    pub events: Option<Duration>,
    /// Dead letters with their events. Default forever.
    pub dead_letters: Option<Duration>,
    /// Conflicts, with the events they conflict with. Default forever.
    pub conflicts: Option<Duration>,
    /// Counts by minute. Default 90 days.
    pub rollups: Option<Duration>,
    /// Idempotency keys after they have expired. Default one day.
    pub keys: Option<Duration>,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Retention {
    fn default() -> Self {
        Self {
            events: Some(90 * DAY),
            dead_letters: None,
            conflicts: None,
            rollups: Some(90 * DAY),
            keys: Some(DAY),
        }
    }
}
