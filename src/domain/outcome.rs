//! How an attempt ended.

use super::ErrorKind;
use std::time::Duration;

/// A handler's answer. It is data, never an error: what to do next is decided by it and by the policy.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: never again.
    Delivered,
    /// Not done: again later, by the handler's retry policy.
    Retry {
        /// What went wrong, for people.
        error: String,
        /// Not before this much time has passed, whatever the policy says.
        after: Option<Duration>,
        /// Whether the handler itself was not there: it could not be reached, did not answer in time, or says so. A
        /// run of these opens its circuit breaker; a failure of this one delivery does not count.
        unavailable: bool,
        /// The kind of error, by which failures are grouped.
        kind: ErrorKind,
    },
    /// Refused for good: a dead letter at once.
    Dead {
        /// Why, for people.
        error: String,
    },
    /// The receiver says that it is gone for ever. The handler is paused, and the delivery waits without
    /// using up a try: a bad deploy must not kill a backlog.
    Gone {
        /// What it answered, for people.
        error: String,
    },
}

impl Outcome {
    /// Again later, by the policy.
    pub fn retry(error: impl Into<String>) -> Self {
        Self::Retry {
            error: error.into(),
            after: None,
            unavailable: false,
            kind: ErrorKind::Handler,
        }
    }

    /// Again later, and not before this much time has passed.
    pub fn retry_after(error: impl Into<String>, after: Duration) -> Self {
        Self::Retry {
            error: error.into(),
            after: Some(after),
            unavailable: false,
            kind: ErrorKind::Handler,
        }
    }

    /// Retries the delivery later because the handler itself was unavailable, which counts for its circuit breaker.
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

    /// The attempt took longer than its handler's setting `timeout` allows; `what` did not happen in time. One text for
    /// every kind of handler, so that one cause is one kind of failure.
    pub(crate) fn timed_out(limit: Duration, what: &str) -> Self {
        Self::unavailable(format!(
            "timed out after {}: {what} in this time (setting timeout)",
            seconds(limit)
        ))
        .of_kind(ErrorKind::Timeout)
    }

    /// Refused for good.
    pub fn dead(error: impl Into<String>) -> Self {
        Self::Dead {
            error: error.into(),
        }
    }
}

/// `30 s`, or `300 ms` where it is not whole seconds.
pub(crate) fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

/// An outcome with what the attempt's row says about it.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
}

impl Report {
    /// The kind of error; `None` if the delivery was delivered.
    pub(crate) fn error_kind(&self) -> Option<ErrorKind> {
        match &self.outcome {
            Outcome::Delivered => None,
            _ if self.status.is_some() => Some(ErrorKind::Status),
            Outcome::Retry { kind, .. } => Some(*kind),
            Outcome::Dead { .. } | Outcome::Gone { .. } => Some(ErrorKind::Handler),
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
