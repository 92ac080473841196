//! Text that Postgres can always store.

use std::fmt;

/// Text from outside that can be stored: valid UTF-8, without NUL, with a maximum length in bytes.
///
/// Group commit stores the requests of several senders with one statement, and Postgres rejects a
/// NUL in `text`. One such value would fail all of these requests, so text from outside becomes a
/// column value only through this type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StorableText(String);

/// The longest error text that is stored, in bytes.
const LONGEST_ERROR: usize = 2000;

impl StorableText {
    /// Keeps as much of an error's text as the column of an attempt holds.
    pub fn error(text: &str) -> Self {
        Self::new(text, LONGEST_ERROR)
    }

    /// Keeps at most `max` bytes of `text`, cut at a character boundary, and replaces every NUL by
    /// U+FFFD.
    pub fn new(text: &str, max: usize) -> Self {
        let mut kept = String::with_capacity(text.len().min(max));
        for c in text.chars() {
            let c = if c == '\0' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            };
            if kept.len() + c.len_utf8() > max {
                break;
            }
            kept.push(c);
        }
        Self(kept)
    }

    /// The same for bytes. Bytes that are not UTF-8 become U+FFFD.
    pub fn from_bytes(bytes: &[u8], max: usize) -> Self {
        // A character has at most four bytes, so this prefix holds all that can be kept, however
        // long the input is.
        let prefix = &bytes[..bytes.len().min(max.saturating_add(4))];
        Self::new(&String::from_utf8_lossy(prefix), max)
    }

    /// The text as a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Converts it to an owned string.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for StorableText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::StorableText;
    use proptest::prelude::*;

    #[test]
    fn a_nul_is_replaced_and_the_cut_is_at_a_character() {
        assert_eq!(StorableText::new("a\0b", 10).as_str(), "a\u{fffd}b");
        assert_eq!(StorableText::new("éé", 3).as_str(), "é");
        assert_eq!(
            StorableText::from_bytes(b"a\xffb", 10).as_str(),
            "a\u{fffd}b"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_storable(bytes: Vec<u8>, max in 0usize..64) {
            let text = StorableText::from_bytes(&bytes, max);
            prop_assert!(text.as_str().len() <= max);
            prop_assert!(!text.as_str().contains('\0'));
        }
    }
}
