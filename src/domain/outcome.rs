//! Outcomes of attempts.

use super::ErrorKind;
use std::time::Duration;

/// The outcome of an attempt, as a handler returns it. It is data and never an error: the outcome
/// and the policy decide what happens next.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The handler has processed the event. The delivery ends.
    Delivered,
    /// The attempt failed. The delivery is retried by the handler's retry policy.
    Retry {
        /// The error message.
        error: String,
        /// The shortest time to the next attempt, even if the policy has a shorter delay.
        after: Option<Duration>,
        /// Whether the handler itself was unavailable: it could not be reached, did not respond in
        /// time, or said so. A run of these opens its circuit breaker. Failures of a single
        /// delivery do not count.
        unavailable: bool,
        /// The kind of error, by which failures are grouped.
        kind: ErrorKind,
    },
    /// The handler rejected the event for good. The delivery is a dead letter at once.
    Dead {
        /// The error message.
        error: String,
    },
    /// The receiver reports that its endpoint is gone. The handler is paused, and the delivery
    /// waits without using up an attempt, so that a bad deployment does not turn a backlog into
    /// dead letters.
    EndpointGone {
        /// The receiver's response.
        error: String,
    },
}

impl Outcome {
    /// The attempt failed and is retried by the policy.
    pub fn retry(error: impl Into<String>) -> Self {
        Self::Retry {
            error: error.into(),
            after: None,
            unavailable: false,
            kind: ErrorKind::Handler,
        }
    }

    /// The attempt failed and is retried by the policy, but not before this time has passed.
    pub fn retry_after(error: impl Into<String>, after: Duration) -> Self {
        Self::Retry {
            error: error.into(),
            after: Some(after),
            unavailable: false,
            kind: ErrorKind::Handler,
        }
    }

    /// The attempt failed because the handler was unavailable. It counts for the circuit breaker.
    pub fn unavailable(error: impl Into<String>) -> Self {
        Self::Retry {
            error: error.into(),
            after: None,
            unavailable: true,
            kind: ErrorKind::Handler,
        }
    }

    /// The same outcome with another kind of error.
    pub(crate) fn of_kind(mut self, of: ErrorKind) -> Self {
        if let Self::Retry { kind, .. } = &mut self {
            *kind = of;
        }
        self
    }

    /// The attempt took longer than the handler's setting `timeout`; `what` names what did not
    /// happen in time. All kinds of handlers use one text, so that failures with this cause are
    /// grouped together.
    pub(crate) fn timed_out(limit: Duration, what: &str) -> Self {
        Self::unavailable(format!(
            "timed out after {}: {what} in this time (setting timeout)",
            seconds(limit)
        ))
        .of_kind(ErrorKind::Timeout)
    }

    /// The event is rejected for good. The delivery is a dead letter at once.
    pub fn dead(error: impl Into<String>) -> Self {
        Self::Dead {
            error: error.into(),
        }
    }
}

/// Formats whole seconds as `30 s`, other durations as `300 ms`.
pub(crate) fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

/// An outcome with the details that the attempt's row records.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The outcome of the attempt.
    pub outcome: Outcome,
    /// The HTTP status, if there was a response.
    pub status: Option<u16>,
}

impl Report {
    /// The kind of error; `None` if the delivery was delivered.
    pub(crate) fn error_kind(&self) -> Option<ErrorKind> {
        match &self.outcome {
            Outcome::Delivered => None,
            _ if self.status.is_some() => Some(ErrorKind::Status),
            Outcome::Retry { kind, .. } => Some(*kind),
            Outcome::Dead { .. } | Outcome::EndpointGone { .. } => Some(ErrorKind::Handler),
        }
    }
}

impl From<Outcome> for Report {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            status: None,
        }
    }
}
