//! Literals of SQL in the statements that people read and copy. Statements that run have parameters.

use std::fmt::Write;

/// A text. What cannot be seen, or deceives whoever reads or pastes the statement, is an escape.
pub(super) fn quoted(text: &str) -> String {
    let (mut literal, mut prefix) = (String::with_capacity(text.len() + 2), "");
    for character in text.chars() {
        match character {
            '\'' => literal.push_str("''"),
            '\\' => {
                prefix = "E";
                literal.push_str(r"\\");
            }
            c if is_seen(c) => literal.push(c),
            c => {
                prefix = "E";
                let _ = match u32::from(c) {
                    number @ ..=0xffff => write!(literal, "\\u{number:04x}"),
                    number => write!(literal, "\\U{number:08x}"),
                };
            }
        }
    }
    format!("{prefix}'{literal}'")
}

/// Letters and digits of all languages, except for those that look like a space, and the other
/// characters of ASCII.
fn is_seen(character: char) -> bool {
    match character {
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        ' '..='~' => true,
        other => other.is_alphanumeric(),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn literals_can_be_seen() {
        assert_eq!(quoted("it's"), "'it''s'");
        assert_eq!(quoted("Grüße 日本"), "'Grüße 日本'");
        assert_eq!(quoted(r"a\b'"), r"E'a\\b'''");
        assert_eq!(quoted("a\n\u{202e}b"), r"E'a\u000a\u202eb'");
        assert_eq!(quoted("\u{3164}\u{e0041}"), r"E'\u3164\U000e0041'");
    }
}
