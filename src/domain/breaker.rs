//! Circuit breakers of handlers.

use std::time::Duration;

/// A circuit breaker. After several attempts in a row have found the handler unavailable, this
/// process claims nothing more for it, so that its backlog waits without using up attempts. After a
/// pause one delivery probes the handler. If it succeeds, claiming continues. If not, the pause
/// doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// The breaker opens after this many unavailable attempts without a success between them.
    pub after: u32,
    /// The first pause.
    pub pause: Duration,
    /// The longest pause.
    pub max_pause: Duration,
}

/// The breaker would always be open, or its pauses are out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a breaker opens after at least 1 failure and pauses for 1 ms to 24 h, with max_pause no shorter than pause"
)]
pub struct InvalidBreaker;

const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl Default for Breaker {
    /// Opens after 20 attempts in a row, and pauses for 5 s, doubling up to 5 min. A receiver that
    /// fails every second request has such a run once in a million attempts. A receiver that is
    /// down has it at once, and that costs the backlog little more than twenty attempts.
    fn default() -> Self {
        Self {
            after: 20,
            pause: Duration::from_secs(5),
            max_pause: Duration::from_secs(300),
        }
    }
}

impl Breaker {
    /// A breaker that never opens, for a handler whose kind has a breaker by default.
    pub fn never() -> Self {
        Self {
            after: u32::MAX,
            ..Self::default()
        }
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// [`InvalidBreaker`] if a value is out of bounds.
    pub fn check(self) -> Result<Self, InvalidBreaker> {
        let bounds = Duration::from_millis(1)..=LONGEST;
        let pauses = bounds.contains(&self.pause)
            && bounds.contains(&self.max_pause)
            && self.pause <= self.max_pause;
        if self.after > 0 && pauses {
            Ok(self)
        } else {
            Err(InvalidBreaker)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_breaker_that_can_close_again_is_one() {
        assert!(Breaker::default().check().is_ok() && Breaker::never().check().is_ok());
        for bad in [
            Breaker {
                after: 0,
                ..Breaker::default()
            },
            Breaker {
                pause: Duration::ZERO,
                ..Breaker::default()
            },
            Breaker {
                max_pause: Duration::from_secs(1),
                ..Breaker::default()
            },
            Breaker {
                max_pause: Duration::MAX,
                ..Breaker::default()
            },
        ] {
            assert_eq!(bad.check(), Err(InvalidBreaker), "{bad:?}");
        }
    }
}
