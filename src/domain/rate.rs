//! Rate limits of handlers.

/// The maximum number of deliveries that one process starts per second. Fractions are allowed: 0.5
/// is one every two seconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// The rate is out of range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("a rate is 0.001 to 1000000 deliveries per second, not {0}")]
pub struct InvalidRate(f64);

impl Rate {
    /// Makes a rate of at most `deliveries` per second.
    ///
    /// # Errors
    /// If the rate is not from 0.001 (one in about 17 minutes) to 1,000,000.
    pub fn per_second(deliveries: f64) -> Result<Self, InvalidRate> {
        // NaN is in no range.
        if (0.001..=1_000_000.0).contains(&deliveries) {
            Ok(Self(deliveries))
        } else {
            Err(InvalidRate(deliveries))
        }
    }

    /// Returns the number of deliveries per second.
    pub fn deliveries_per_second(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn fractions_are_rates_and_zero_is_not() {
        for good in [0.001, 0.5, 1.0, 1_000_000.0] {
            assert_eq!(
                Rate::per_second(good).map(Rate::deliveries_per_second),
                Ok(good)
            );
        }
        for bad in [0.0, -1.0, 0.0001, 1e7, f64::NAN, f64::INFINITY] {
            assert!(Rate::per_second(bad).is_err(), "{bad}");
        }
    }
}
