//! Literals of Postgres for the statements that a page shows. People paste them into psql.
//!
//! They mean the same with any setting of `standard_conforming_strings`, contain no control
//! character, and are never sent to the database by the console, which binds its parameters.

use super::marks;

/// A text: `'it''s'`, or `E'a\nb'` if it has a backslash or a character that cannot be seen. `None`
/// if it contains NUL, which no text of Postgres can.
pub(crate) fn text(text: &str) -> Option<String> {
    let mut literal = String::with_capacity(text.len() + 3);
    let mut has_escape = false;
    for character in text.chars() {
        match character {
            '\0' => return None,
            '\'' => literal.push_str("''"),
            '\\' => {
                has_escape = true;
                literal.push_str(r"\\");
            }
            c if marks::name(c).is_some() => {
                has_escape = true;
                match u32::from(c) {
                    number @ ..=0xffff => literal += &format!("\\u{number:04x}"),
                    number => literal += &format!("\\U{number:08x}"),
                }
            }
            c => literal.push(c),
        }
    }
    Some(format!("{}'{literal}'", if has_escape { "E" } else { "" }))
}

/// Bytes, such as a stored body: `decode('00ff', 'hex')`.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    format!("decode('{}', 'hex')", hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_texts_are_plain_literals() {
        assert_eq!(text("shop").as_deref(), Some("'shop'"));
        assert_eq!(text("it's").as_deref(), Some("'it''s'"));
        assert_eq!(text("Grüße").as_deref(), Some("'Grüße'"));
        assert_eq!(
            text("'; DROP TABLE x --").as_deref(),
            Some("'''; DROP TABLE x --'")
        );
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        assert_eq!(text("a\\b").as_deref(), Some(r"E'a\\b'"));
        assert_eq!(text("a\nb").as_deref(), Some(r"E'a\u000ab'"));
        assert_eq!(text("\u{202e}").as_deref(), Some(r"E'\u202e'"));
        assert_eq!(text("\u{e0041}").as_deref(), Some(r"E'\U000e0041'"));
        assert_eq!(text("\\'").as_deref(), Some(r"E'\\'''"));
        assert_eq!(text("\0"), None);
    }

    #[test]
    fn bytes_are_hexadecimal() {
        assert_eq!(bytes(b"\x00\xff'"), "decode('00ff27', 'hex')");
    }

    /// Reads a literal as Postgres does.
    fn read(literal: &str) -> Option<String> {
        let (escapes, rest) = match literal.strip_prefix('E') {
            Some(rest) => (true, rest),
            None => (false, literal),
        };
        let mut inside = rest.strip_prefix('\'')?.strip_suffix('\'')?.chars();
        let mut text = String::new();
        while let Some(character) = inside.next() {
            match character {
                '\'' if inside.next() == Some('\'') => text.push('\''),
                '\'' => return None,
                '\\' if !escapes => return None,
                '\\' => match inside.next()? {
                    '\\' => text.push('\\'),
                    kind @ ('u' | 'U') => {
                        let digits: String = inside
                            .by_ref()
                            .take(if kind == 'u' { 4 } else { 8 })
                            .collect();
                        text.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                    }
                    _ => return None,
                },
                other => text.push(other),
            }
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn postgres_reads_the_same_text(stored in r"[a-z'\\\n\x1b\u{202e}\u{e0041}ä]{0,20}") {
            let literal = text(&stored).expect("no NUL");
            prop_assert!(literal.chars().all(|c| marks::name(c).is_none()));
            prop_assert_eq!(read(&literal), Some(stored));
        }
    }
}
