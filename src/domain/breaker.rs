//! When a handler that cannot be reached is left alone for a while.

use std::time::Duration;

/// A circuit breaker: after a run of attempts that found the handler itself unavailable, nothing more is claimed for it
/// in this process, so that its backlog waits without using up tries. After a pause one delivery is tried; once the
/// handler answers, all goes on, and where it does not, the pause doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// It opens after so many unavailable attempts with no success between them.
    pub after: u32,
    /// The first pause.
    pub pause: Duration,
    /// No pause is longer.
    pub max_pause: Duration,
}

/// A breaker that would always be open, or whose pauses are of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a breaker opens after 1 failure at least, and pauses for 1 ms to 24 h, max_pause no shorter than pause"
)]
pub struct InvalidBreaker;

const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl Default for Breaker {
    /// After 20 in a row, 5 s doubling up to 5 min. A receiver that fails every second request has such a run once in a
    /// million attempts; one that is away has it at once, and costs the backlog little more than twenty tries.
    fn default() -> Self {
        Self {
            after: 20,
            pause: Duration::from_secs(5),
            max_pause: Duration::from_secs(300),
        }
    }
}

impl Breaker {
    /// One that never opens: for a handler of a kind that has a breaker unless told otherwise.
    pub fn never() -> Self {
        Self {
            after: u32::MAX,
            ..Self::default()
        }
    }

    /// Refuses one that is outside the bounds.
    ///
    /// # Errors
    /// [`InvalidBreaker`].
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
