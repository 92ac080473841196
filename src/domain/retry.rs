//! Retry policies.

use std::time::Duration;

/// How often a failed delivery is retried, and after which delays.
#[derive(Clone, Debug, PartialEq)]
pub enum RetryPolicy {
    /// The delays between the attempts, each plus up to 20 %. There is one attempt more than there
    /// are delays.
    Delays(Vec<Duration>),
    /// Exponential delays with full jitter: from zero to `base * 2^n`, at most `max`.
    Exponential {
        /// The upper bound of the first delay.
        base: Duration,
        /// The upper bound of all delays.
        max: Duration,
        /// The number of attempts in total.
        max_attempts: u16,
    },
}

/// The policy makes no attempt, too many attempts, or waits too long between them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a retry policy needs 1 to 1000 attempts and delays of at most 30 days")]
pub struct InvalidRetry;

const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Default for RetryPolicy {
    /// 5 s, 30 s, 2 m, 10 m, 30 m, 1 h, 2 h, 4 h, 6 h, 12 h, 18 h: twelve attempts over almost two
    /// days.
    fn default() -> Self {
        let seconds = [
            5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 43_200, 64_800,
        ];
        Self::Delays(seconds.map(Duration::from_secs).to_vec())
    }
}

impl RetryPolicy {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`InvalidRetry`] if a value is out of bounds.
    pub fn check(self) -> Result<Self, InvalidRetry> {
        let longest = match &self {
            Self::Delays(delays) => delays.iter().max().copied().unwrap_or_default(),
            Self::Exponential { max, base, .. } => *base.max(max),
        };
        if (1..=1000).contains(&self.max_attempts()) && longest <= LONGEST {
            Ok(self)
        } else {
            Err(InvalidRetry)
        }
    }

    /// Returns the number of attempts of a delivery in total.
    pub fn max_attempts(&self) -> usize {
        match self {
            Self::Delays(delays) => delays.len() + 1,
            Self::Exponential { max_attempts, .. } => usize::from(*max_attempts),
        }
    }

    /// Returns the delay after failure number `failures`, from 1. `random` is in `0.0..1.0`.
    pub fn delay(&self, failures: usize, random: f64) -> Duration {
        let n = failures.saturating_sub(1);
        match self {
            Self::Delays(delays) => {
                let Some(last) = delays.last() else {
                    return Duration::ZERO;
                };
                delays.get(n).unwrap_or(last).mul_f64(1.0 + 0.2 * random)
            }
            Self::Exponential { base, max, .. } => {
                let factor = 1u32
                    .checked_shl(u32::try_from(n).unwrap_or(u32::MAX))
                    .unwrap_or(u32::MAX);
                base.checked_mul(factor)
                    .unwrap_or(*max)
                    .min(*max)
                    .mul_f64(random)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_is_the_documented_list() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.max_attempts(), 12);
        assert_eq!(policy.delay(1, 0.0), Duration::from_secs(5));
        assert_eq!(policy.delay(11, 0.0), Duration::from_secs(18 * 3600));
        assert_eq!(
            policy.delay(40, 0.0),
            Duration::from_secs(18 * 3600),
            "attempts that an operator added repeat the last delay"
        );
    }

    #[test]
    fn a_policy_without_an_attempt_is_rejected() {
        let none = RetryPolicy::Exponential {
            base: Duration::ZERO,
            max: Duration::ZERO,
            max_attempts: 0,
        };
        assert_eq!(none.check(), Err(InvalidRetry));
        assert!(
            RetryPolicy::Delays(vec![]).check().is_ok(),
            "one attempt and no retry"
        );
    }

    proptest! {
        #[test]
        fn a_list_is_stretched_by_a_fifth_at_most(n in 1usize..2000, random in 0.0f64..1.0) {
            let (least, policy) = (RetryPolicy::default().delay(n, 0.0), RetryPolicy::default());
            prop_assert!(policy.delay(n, random) >= least && policy.delay(n, random) <= least.mul_f64(1.2));
        }

        #[test]
        fn full_jitter_never_passes_the_maximum(n in 0usize..5000, random in 0.0f64..1.0) {
            let max = Duration::from_secs(60);
            let policy = RetryPolicy::Exponential { base: Duration::from_secs(1), max, max_attempts: 9 };
            prop_assert!(policy.delay(n, random) <= max);
        }
    }
}
