//! JSON pointers.

use std::{fmt, str::FromStr};

/// A JSON pointer (RFC 6901), such as `/data/id` or `/items/0`. Inside a name, `~1` stands for `/`
/// and `~0` for `~`. It never points to the whole document, and no name holds a NUL, which Postgres
/// cannot store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer(Vec<String>);

/// The text is not a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a JSON pointer: it begins with '/', as in /data/id, and '~' is followed by 0 or 1"
)]
pub struct InvalidPointer(String);

impl Pointer {
    /// Points to the member with this name at the root.
    pub(crate) fn member(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    /// The names and indices from the root, at least one.
    pub fn steps(&self) -> &[String] {
        &self.0
    }
}

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        let invalid = || InvalidPointer(text.chars().take(80).collect());
        let steps = text
            .strip_prefix('/')
            .filter(|path| !path.contains('\0'))
            .ok_or_else(invalid)?
            .split('/');
        let step = |step: &str| {
            let escaped = step
                .split('~')
                .skip(1)
                .all(|after| after.starts_with(['0', '1']));
            escaped.then(|| step.replace("~1", "/").replace("~0", "~"))
        };
        Ok(Self(
            steps.map(step).collect::<Option<_>>().ok_or_else(invalid)?,
        ))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

#[cfg(test)]
mod tests {
    use super::Pointer;

    #[test]
    fn a_pointer_below_the_root_and_nothing_else() {
        for (text, steps) in [
            ("/iccid", vec!["iccid"]),
            ("/a~1b/c~0d", vec!["a/b", "c~d"]),
            ("/", vec![""]),
        ] {
            let pointer: Pointer = text.parse().expect("a pointer");
            assert_eq!(pointer.steps(), steps);
            assert_eq!(pointer.to_string(), text);
        }
        for bad in [
            "", "a", "a/b", "iccid", "$.iccid", "#/a", "/~", "/a~", "/a~2", "/a\0",
        ] {
            assert!(bad.parse::<Pointer>().is_err(), "{bad}");
        }
    }
}
