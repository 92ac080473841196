//! What an ordered handler keeps the order of.

use std::{fmt, str::FromStr};

/// Where in a payload the ordering key is: a JSON pointer (RFC 6901) to a member, as `/data/iccid`. Deliveries with the
/// same key run one after the other, in the order in which their events came; an event without the member keeps order
/// with no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderingPath(Vec<String>);

/// A text that is not a JSON pointer to a member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' does not say where the ordering key is: write a JSON pointer into the payload, as '/data/iccid'")]
pub struct InvalidOrderingPath(String);

impl OrderingPath {
    /// The names of the members on the way, outermost first; at least one.
    pub fn members(&self) -> &[String] {
        &self.0
    }
}

impl FromStr for OrderingPath {
    type Err = InvalidOrderingPath;

    fn from_str(given: &str) -> Result<Self, InvalidOrderingPath> {
        let invalid = || InvalidOrderingPath(given.chars().take(80).collect());
        let path = given.strip_prefix('/').filter(|path| !path.contains('\0')).ok_or_else(invalid)?;
        let unescaped = |member: &str| {
            let plain = member.replace("~1", "/").replace("~0", "~");
            let escapes = member.matches('~').count();
            (escapes == member.matches("~0").count() + member.matches("~1").count()).then_some(plain)
        };
        path.split('/').map(unescaped).collect::<Option<_>>().map(Self).ok_or_else(invalid)
    }
}

impl fmt::Display for OrderingPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|member| write!(f, "/{}", member.replace('~', "~0").replace('/', "~1")))
    }
}

/// What a dead letter does to its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDead {
    /// The next of the key goes on.
    #[default]
    Skip,
    /// The key waits until somebody has decided about the dead letter.
    Hold,
}

impl OnDead {
    /// The word in the registry and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Hold => "hold",
        }
    }
}

/// The order that a handler asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Where the key is.
    pub by: OrderingPath,
    /// What a dead letter does to its key.
    pub on_dead: OnDead,
}

#[cfg(test)]
mod tests {
    use super::OrderingPath;

    #[test]
    fn a_pointer_to_a_member_and_nothing_else() {
        for (text, members) in [("/iccid", vec!["iccid"]), ("/a~1b/c~0d", vec!["a/b", "c~d"]), ("/", vec![""])] {
            let path: OrderingPath = text.parse().expect("a pointer");
            assert_eq!(path.members(), members);
            assert_eq!(path.to_string(), text);
        }
        for bad in ["", "iccid", "$.iccid", "/a~2", "/a~", "/a\0"] {
            assert!(bad.parse::<OrderingPath>().is_err(), "{bad}");
        }
    }
}
