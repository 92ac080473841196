//! Payload filters of handlers.

use std::{fmt, str::FromStr};

/// The longest filter, in bytes.
const LONGEST: usize = 2000;

/// A condition on the payload, as a jsonpath predicate of Postgres such as `$.data.quantity > 1`.
/// Deliveries that do not match are settled without running the handler. Postgres checks the
/// predicate when the handler is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadFilter(String);

/// The text cannot be a payload filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a payload filter is a jsonpath predicate of 1 to 2000 bytes without NUL, such as '$.data.quantity > 1'"
)]
pub struct InvalidFilter;

impl PayloadFilter {
    /// The filter as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PayloadFilter {
    type Err = InvalidFilter;

    fn from_str(given: &str) -> Result<Self, InvalidFilter> {
        let usable = !given.trim().is_empty() && given.len() <= LONGEST && !given.contains('\0');
        if usable {
            Ok(Self(given.to_owned()))
        } else {
            Err(InvalidFilter)
        }
    }
}

impl fmt::Display for PayloadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::PayloadFilter;

    #[test]
    fn a_filter_is_not_empty_and_has_a_bounded_length() {
        assert!(
            "$.a == 1"
                .parse::<PayloadFilter>()
                .is_ok_and(|filter| filter.as_str() == "$.a == 1")
        );
        for bad in ["", "  ", "$.a == \"\0\"", &"x".repeat(2001)] {
            assert!(bad.parse::<PayloadFilter>().is_err(), "{bad:?}");
        }
    }
}
