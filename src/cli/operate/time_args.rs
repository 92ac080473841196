//! Parses times as people write them.

use crate::store::SqlArg;

/// A time: `2h` (s, m, h, d, w), or a time that Postgres reads, in UTC unless it has a time zone.
#[derive(Clone, Debug)]
pub(super) struct When(String);

impl std::str::FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            Err("a time must not be empty".to_owned())
        } else {
            Ok(Self(text.trim().to_owned()))
        }
    }
}

impl When {
    /// The time, with a span counted back from now.
    pub(super) fn past(&self) -> SqlArg {
        self.span()
            .map_or_else(|| SqlArg::time(&self.0), SqlArg::ago)
    }

    /// The time, with a span counted forward from now.
    pub(super) fn coming(&self) -> SqlArg {
        self.span()
            .map_or_else(|| SqlArg::time(&self.0), SqlArg::ahead)
    }

    /// The span, if it is a number and a unit.
    fn span(&self) -> Option<String> {
        let unit = match self.0.chars().last()? {
            's' => "seconds",
            'm' => "minutes",
            'h' => "hours",
            'd' => "days",
            'w' => "weeks",
            _ => return None,
        };
        let number: u32 = self.0[..self.0.len() - 1].parse().ok()?;
        Some(format!("{number} {unit}"))
    }
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct Between {
    /// Only from this time on: 2h (ago), 7d, or a time such as 2026-07-01 12:00 (UTC)
    #[arg(long, value_name = "TIME")]
    after: Option<When>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
}

impl Between {
    pub(super) fn after(&self) -> Option<SqlArg> {
        self.after.as_ref().map(When::past)
    }

    pub(super) fn before(&self) -> Option<SqlArg> {
        self.before.as_ref().map(When::past)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_span_and_all_else_is_a_time() {
        let when = |text: &str| text.parse::<When>().expect("a time");
        assert_eq!(when("2h").span().as_deref(), Some("2 hours"));
        assert_eq!(when(" 7d ").span().as_deref(), Some("7 days"));
        for text in ["2026-07-01", "2026-07-01 12:00Z", "now", "-2h", "h", "2é"] {
            assert_eq!(when(text).span(), None, "{text}");
        }
        assert!(" ".parse::<When>().is_err());
    }
}
