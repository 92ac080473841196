//! How many deliveries a handler is started with in a second.

/// At most so many a second, in one process. Fractions are allowed: 0.5 is one every two seconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// A rate that is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("a rate is 0.001 to 1000000 deliveries a second, not {0}")]
pub struct InvalidRate(f64);

impl Rate {
    /// At most `deliveries` a second.
    ///
    /// # Errors
    /// Where that is not from 0.001 (one in some 17 minutes) to 1,000,000.
    pub fn per_second(deliveries: f64) -> Result<Self, InvalidRate> {
        // NaN is in no range.
        if (0.001..=1_000_000.0).contains(&deliveries) {
            Ok(Self(deliveries))
        } else {
            Err(InvalidRate(deliveries))
        }
    }

    /// How many deliveries a second.
    pub fn deliveries_per_second(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn fractions_are_rates_and_nothing_is_none() {
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
