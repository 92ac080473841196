//! The last guard against text that deceives: it reads the page as it is sent.
//!
//! Templates show the text of strangers as [`marks`](super::marks). What a template forgets is
//! replaced here, so that no page has a character that turns or hides text, wherever it came from.

use super::marks;

/// Attributes that nobody reads, and whose text is exact: it is copied or sent.
const EXACT: [&str; 3] = ["data-copy", "href", "value"];

/// Where the scanner is in the page. The page is our own HTML: `<` begins a tag, and the value of an
/// attribute is in double quotes.
enum At {
    Text,
    Tag,
    Value { is_exact: bool },
}

/// Replaces each character that deceives by its number, as `[U+202E]`. What a person has typed into a
/// form, and what is copied, stays as it is.
pub(crate) fn visible(page: String) -> String {
    if !page.chars().any(deceives) {
        return page;
    }
    let mut seen = String::with_capacity(page.len() + 256);
    let (mut at, mut tag, mut name) = (At::Text, String::new(), String::new());
    for character in page.chars() {
        let is_kept = match at {
            At::Text => {
                let is_typed = tag == "textarea";
                if character == '<' {
                    (at, tag, name) = (At::Tag, String::new(), String::new());
                }
                is_typed
            }
            At::Tag => {
                match character {
                    '"' => {
                        let is_exact = EXACT.contains(&name.as_str());
                        at = At::Value { is_exact };
                    }
                    '=' => {}
                    '>' | ' ' | '\n' => {
                        let word = std::mem::take(&mut name);
                        if tag.is_empty() {
                            tag = word;
                        }
                        if character == '>' {
                            at = At::Text;
                        }
                    }
                    other => name.push(other),
                }
                true
            }
            At::Value { is_exact } => {
                if character == '"' {
                    name.clear();
                    at = At::Tag;
                }
                is_exact
            }
        };
        if is_kept || !deceives(character) {
            seen.push(character);
        } else {
            seen += &format!("[U+{:04X}]", u32::from(character));
        }
    }
    seen
}

/// Line breaks and tabs are white space of the page.
fn deceives(character: char) -> bool {
    !matches!(character, '\n' | '\t') && marks::name(character).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_titles_have_numbers() {
        let page =
            "<p title=\"a\u{202e}\" class=\"b\">x\u{200b}y\u{e0041}\n</p><title>\u{feff}</title>";
        assert_eq!(
            visible(page.to_owned()),
            "<p title=\"a[U+202E]\" class=\"b\">x[U+200B]y[U+E0041]\n</p><title>[U+FEFF]</title>"
        );
    }

    #[test]
    fn what_is_copied_or_sent_stays_exact() {
        for page in [
            "<button type=\"button\" data-copy=\"a\u{202e}b\" hidden>copy</button>",
            "<input name=\"why\" value=\"\u{200d}\">",
            "<form><textarea id=\"a\" name=\"why\">\nfamily \u{200d} \r</textarea></form>",
            "<a\nhref=\"/x?\u{ad}\">y</a>",
        ] {
            assert_eq!(visible(page.to_owned()), page);
        }
        let after = "<textarea>\u{200d}</textarea>\u{200d}<b>\u{200d}</b>";
        assert_eq!(
            visible(after.to_owned()),
            "<textarea>\u{200d}</textarea>[U+200D]<b>[U+200D]</b>"
        );
    }

    #[test]
    fn pages_without_such_characters_are_the_same() {
        let page = "<p title=\"é\">\u{2192} … ❤\u{fe0f}\n\t</p>";
        assert_eq!(visible(page.to_owned()), page);
    }
}
