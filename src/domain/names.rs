//! Names that an operator chooses, and event types. Their small alphabets are checked once, on
//! parsing.

use std::{fmt, str::FromStr, sync::Arc};

/// The text is not a valid name or type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a {what}: {rule}")]
pub struct InvalidName {
    given: String,
    what: &'static str,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(given: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(given) {
                    Ok(Self(given.into()))
                } else {
                    let given = given.chars().take(80).collect();
                    Err(InvalidName { given, what: $what, rule: $rule })
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a source. It is also a part of the source's URL.
    SourceName, "source name", "1 to 63 of a-z, 0-9, '_' and '-', beginning with a letter", is_name
);
name!(
    /// The name of a handler.
    HandlerName, "handler name", "1 to 63 of a-z, 0-9, '_' and '-', beginning with a letter", is_name
);
name!(
    /// The name of a database role.
    RoleName, "role name",
    "1 to 63 of a-z, A-Z, 0-9, '_' and '-', beginning with a letter or '_', and none of Postgres' own (pg_…, public, none)",
    is_role
);
name!(
    /// The type of an event: segments of `[a-z0-9_]+` joined by dots, at most 200 bytes, such as
    /// `airalo.order.completed`. The type of a conflict has the suffix `.conflict`.
    EventType, "type", "segments of a-z, 0-9 and '_', joined by dots, at most 200 bytes", is_type
);

fn is_name(s: &str) -> bool {
    s.len() <= 63
        && s.starts_with(|c: char| c.is_ascii_lowercase())
        && s.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn is_role(s: &str) -> bool {
    s.len() <= 63
        && s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && s.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !(s.starts_with("pg_") || s == "public" || s == "none")
}

fn is_type(s: &str) -> bool {
    // The store appends `.conflict` to the type of a conflict and must be able to parse the result.
    s.strip_suffix(".conflict").unwrap_or(s).len() <= 200 && s.split('.').all(is_segment)
}

pub(super) fn is_segment(s: &str) -> bool {
    !s.is_empty()
        && s.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_are_of_their_alphabets() {
        for good in ["airalo", "airalo-eu_2"] {
            assert!(good.parse::<SourceName>().is_ok(), "{good}");
        }
        for bad in ["", "Airalo", "2airalo", "a/b", "a b", "é", &"a".repeat(64)] {
            assert!(bad.parse::<HandlerName>().is_err(), "{bad}");
        }
        for good in ["hookfast_reader", "Shop-Readers", "_x"] {
            assert!(good.parse::<RoleName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "pg_read_all_data",
            "public",
            "none",
            "a\"b",
            "a;b",
            "a b",
            "1a",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<RoleName>().is_err(), "{bad}");
        }
        assert!("airalo.low_data.3days".parse::<EventType>().is_ok());
        for bad in ["", ".", "a.", "a..b", "a.B", "a.*", &"a".repeat(201)] {
            assert!(bad.parse::<EventType>().is_err(), "{bad}");
        }
        assert!(
            format!("{}.conflict", "a".repeat(200))
                .parse::<EventType>()
                .is_ok()
        );
    }
}
