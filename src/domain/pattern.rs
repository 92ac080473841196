//! Type patterns of subscriptions.

use super::names::is_segment;
use std::{fmt, str::FromStr};

/// A type pattern: `*`, an exact type, or `prefix.*` (one or more further segments).
///
/// Patterns are checked here but matched only in SQL (`hookfast_data.type_matches`), so that there
/// is one rule and not two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypePattern(String);

/// The text is not a type pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a type pattern: write '*', an exact type such as 'airalo.order.completed', or 'airalo.order.*'"
)]
pub struct InvalidPattern(String);

impl TypePattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TypePattern {
    type Err = InvalidPattern;

    fn from_str(given: &str) -> Result<Self, InvalidPattern> {
        let segments = given.strip_suffix(".*").unwrap_or(given);
        let valid = given == "*" || (given.len() <= 200 && segments.split('.').all(is_segment));
        if valid {
            Ok(Self(given.to_owned()))
        } else {
            Err(InvalidPattern(given.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::TypePattern;

    #[test]
    fn three_forms_and_no_other() {
        for good in ["*", "a", "a.b_2", "a.*", "airalo.order.*"] {
            assert!(good.parse::<TypePattern>().is_ok(), "{good}");
        }
        for bad in ["", "**", ".*", "a*", "a.*.b", "*.a", "a.%", "A", "a.*.*"] {
            assert!(bad.parse::<TypePattern>().is_err(), "{bad}");
        }
    }
}
