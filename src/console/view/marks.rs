//! Marks for characters that deceive: what turns the direction of text, takes no room or controls a
//! terminal.
//!
//! A sender chooses what payloads, headers and types contain. Each such character is shown as its
//! number in a box, so that two texts that look alike are alike.

use std::borrow::Cow;

/// A part of a text: plain, or one character that is shown as a mark.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run<'a> {
    text: Cow<'a, str>,
    /// What the character does, for people. Empty if the run is plain.
    name: &'static str,
}

impl Run<'_> {
    pub(crate) fn is_mark(&self) -> bool {
        !self.name.is_empty()
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The plain text, or the number of the character: `U+202E`.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// What happens to line breaks and tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaks {
    /// They stay: the text is shown with its lines.
    Keep,
    /// They are marks: the text is one line.
    Mark,
}

/// Why a character is shown as a mark, or `None` if it is shown as it is.
pub(crate) fn name(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
            "changes the direction of text"
        }
        '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{feff}'
        | '\u{180e}'
        | '\u{34f}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{fff0}'..='\u{fff8}' => "takes no room",
        '\u{ad}' => "soft hyphen, mostly invisible",
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' => "looks like a space",
        // The other spaces are as wide as they say, and look like the usual one.
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' => {
            "space of another kind"
        }
        '\u{2028}' | '\u{2029}' => "breaks the line",
        '\u{fff9}'..='\u{fffb}' => "annotation, mostly invisible",
        // The variation selector of emoji stays: it is in half of them.
        '\u{fe00}'..='\u{fe0e}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180f}' => {
            "variation selector, can hide text"
        }
        // Unicode has more of them in reserve, which no font shows either.
        '\u{e0000}'..='\u{e0fff}' => "tag, can hide text",
        c if c.is_control() => "control character",
        _ => return None,
    })
}

/// What a mark takes in a page, in bytes.
const OF_A_MARK: usize = 110;

/// How many of the bytes take at most so much of a page, and how much they take: a mark and a character
/// that is escaped in HTML are longer there.
pub(crate) fn fitting(bytes: &[u8], most: usize) -> (usize, usize) {
    let room_of = |character: char| match character {
        '\n' | '\t' => 1,
        '<' | '>' | '&' | '"' | '\'' => 5,
        c if name(c).is_some() => OF_A_MARK,
        c => c.len_utf8(),
    };
    let (mut at, mut taken) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().chars().map(|c| (c.len_utf8(), room_of(c)));
        let invalid = chunk.invalid().iter().map(|_| (1, OF_A_MARK));
        for (length, room) in valid.chain(invalid) {
            if taken + room > most {
                return (at, taken);
            }
            taken += room;
            at += length;
        }
    }
    (at, taken)
}

/// Splits a text. Plain runs are as long as possible.
pub(crate) fn runs(text: &str, breaks: Breaks) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut plain_from = 0;
    for (at, character) in text.char_indices() {
        if breaks == Breaks::Keep && matches!(character, '\n' | '\t') {
            continue;
        }
        let Some(name) = name(character) else {
            continue;
        };
        push_plain(&mut runs, &text[plain_from..at]);
        let number = format!("U+{:04X}", u32::from(character));
        runs.push(Run {
            text: number.into(),
            name,
        });
        plain_from = at + character.len_utf8();
    }
    push_plain(&mut runs, &text[plain_from..]);
    runs
}

/// As [`runs`], for a text that does not live as long as the page.
pub(crate) fn owned(text: &str, breaks: Breaks) -> Vec<Run<'static>> {
    let owned = |run: Run<'_>| Run {
        text: run.text.into_owned().into(),
        name: run.name,
    };
    runs(text, breaks).into_iter().map(owned).collect()
}

/// Splits bytes that need not be UTF-8. Each byte that belongs to no character is a mark: `0xFF`.
pub(crate) fn runs_of_bytes(bytes: &[u8], breaks: Breaks) -> Vec<Run<'_>> {
    let mut all = Vec::new();
    for chunk in bytes.utf8_chunks() {
        all.extend(runs(chunk.valid(), breaks));
        all.extend(chunk.invalid().iter().map(|byte| Run {
            text: format!("0x{byte:02X}").into(),
            name: "byte that is not UTF-8",
        }));
    }
    all
}

/// A text as one line for sentences, in which marks are numbers: `invoice[U+202E]fdp`.
pub(crate) fn plain(text: &str) -> String {
    runs(text, Breaks::Mark)
        .iter()
        .map(|run| match run.is_mark() {
            true => format!("[{}]", run.text()),
            false => run.text().to_owned(),
        })
        .collect()
}

fn push_plain<'a>(runs: &mut Vec<Run<'a>>, text: &'a str) {
    if !text.is_empty() {
        runs.push(Run {
            text: text.into(),
            name: "",
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Vec<String> {
        runs(text, Breaks::Mark)
            .iter()
            .map(|run| run.text().to_owned())
            .collect()
    }

    #[test]
    fn deceptive_characters_are_marks() {
        assert_eq!(
            shown("invoice\u{202e}fdp.exe"),
            ["invoice", "U+202E", "fdp.exe"]
        );
        assert_eq!(shown("a\u{200b}b\u{feff}"), ["a", "U+200B", "b", "U+FEFF"]);
        assert_eq!(
            shown("\u{e0041}\u{1b}[31m\u{85}"),
            ["U+E0041", "U+001B", "[31m", "U+0085"]
        );
        for range in [
            0x202a..=0x202e,
            0x2066..=0x2069,
            0x200b..=0x200f,
            0x2060..=0x2064,
            0xe0000..=0xe0fff,
            0x180b..=0x180f,
            0x2000..=0x200a,
            0xfff0..=0xfffb,
            0..=0x1f,
            0x7f..=0xa0,
        ] {
            for number in range {
                let character = char::from_u32(number).expect("a character");
                assert!(name(character).is_some(), "U+{number:04X}");
            }
        }
    }

    #[test]
    fn sentences_have_one_line() {
        assert_eq!(plain("a\nb\u{202e}c"), "a[U+000A]b[U+202E]c");
    }

    #[test]
    fn languages_and_emoji_are_plain() {
        for text in ["Grüße", "سلام", "日本語", "❤\u{fe0f}", "a b", "…"] {
            assert_eq!(shown(text), [text]);
        }
    }

    #[test]
    fn line_breaks_stay_if_wanted() {
        assert_eq!(runs("a\n\tb", Breaks::Keep).len(), 1);
        assert_eq!(shown("a\nb"), ["a", "U+000A", "b"]);
        assert_eq!(runs("a\r\n", Breaks::Keep).len(), 3);
        assert!(runs("", Breaks::Keep).is_empty());
    }

    #[test]
    fn marks_take_more_of_a_page() {
        assert_eq!(fitting(b"abc", 2), (2, 2));
        assert_eq!(fitting("aä".as_bytes(), 2), (1, 1));
        assert_eq!(fitting(b"<<", 9), (1, 5));
        assert_eq!(fitting(b"\xff\xff", OF_A_MARK), (1, OF_A_MARK));
        assert_eq!(fitting("\u{202e}a".as_bytes(), OF_A_MARK), (3, OF_A_MARK));
        assert_eq!(fitting(b"", 0), (0, 0));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_marks() {
        let texts: Vec<_> = runs_of_bytes(b"ok\xff\xfe\xc3\xa4", Breaks::Mark);
        let texts: Vec<_> = texts.iter().map(Run::text).collect();
        assert_eq!(texts, ["ok", "0xFF", "0xFE", "ä"]);
    }

    proptest! {
        #[test]
        fn no_plain_run_has_a_deceptive_character(text in any::<String>()) {
            let runs = runs(&text, Breaks::Mark);
            let mut plain = runs.iter().filter(|run| !run.is_mark()).flat_map(|run| run.text().chars());
            prop_assert!(plain.all(|c| name(c).is_none()));
            let marks = text.chars().filter(|c| name(*c).is_some()).count();
            prop_assert_eq!(runs.iter().filter(|run| run.is_mark()).count(), marks);
        }
    }
}
