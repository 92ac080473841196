//! The body of a webhook in the three ways in which a page shows it: formatted, raw and in
//! hexadecimal.

use askama::Template;

use super::{
    json_text::{self, Formatted},
    marks::{self, Breaks, Run},
    number,
};

/// Lines of a page. More make a phone slow, and nobody reads them there: a download has all.
const MOST_LINES: usize = 2_000;
/// Bytes of raw text on a page.
const MOST_RAW: usize = 256 * 1024;
const BYTES_OF_A_ROW: usize = 16;

/// How the page shows the body. The address of the page has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Pretty,
    Raw,
    Hex,
}

#[derive(Template)]
#[template(path = "payload.html")]
pub(crate) struct Payload<'a> {
    /// Why it is not what was asked for, or what is missing.
    pub(crate) note: String,
    formatted: Option<Formatted<'a>>,
    raw: Vec<Run<'a>>,
    rows: Vec<Row>,
}

impl askama::filters::HtmlSafe for Payload<'_> {}

struct Row {
    offset: String,
    hex: String,
    printable: String,
}

impl<'a> Payload<'a> {
    pub(crate) fn new(bytes: &'a [u8], shape: Shape) -> Self {
        let mut payload = Self {
            note: String::new(),
            formatted: None,
            raw: Vec::new(),
            rows: Vec::new(),
        };
        match shape {
            Shape::Pretty => match json_text::format(bytes, MOST_LINES) {
                Ok(formatted) => {
                    if formatted.omitted > 0 {
                        payload.note = omitted(formatted.omitted, "line", "lines");
                    }
                    payload.formatted = Some(formatted);
                }
                Err(invalid) => {
                    payload.raw(bytes);
                    payload.note = format!("{} {}", invalid.message(), payload.note)
                        .trim()
                        .to_owned();
                }
            },
            Shape::Raw => payload.raw(bytes),
            Shape::Hex => payload.hex(bytes),
        }
        payload
    }

    fn raw(&mut self, bytes: &'a [u8]) {
        let (shown, rest) = bytes.split_at(cut(bytes, MOST_RAW));
        self.raw = marks::runs_of_bytes(shown, Breaks::Keep);
        if !rest.is_empty() {
            self.note = omitted(rest.len(), "byte", "bytes");
        }
    }

    fn hex(&mut self, bytes: &[u8]) {
        let (shown, rest) = bytes.split_at(bytes.len().min(MOST_LINES * BYTES_OF_A_ROW));
        self.rows = shown
            .chunks(BYTES_OF_A_ROW)
            .enumerate()
            .map(|(index, chunk)| row(index * BYTES_OF_A_ROW, chunk))
            .collect();
        if !rest.is_empty() {
            self.note = omitted(rest.len(), "byte", "bytes");
        }
    }
}

/// Where to cut without cutting a character.
fn cut(bytes: &[u8], most: usize) -> usize {
    let is_inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let mut at = bytes.len().min(most);
    while at + 4 > most && at > 0 && is_inside(at) {
        at -= 1;
    }
    at
}

fn omitted(count: usize, one: &str, many: &str) -> String {
    let counted = number::counted(i64::try_from(count).unwrap_or(i64::MAX), one, many);
    format!("{counted} more. The download has all of it.")
}

/// As `hexdump -C` writes it.
fn row(offset: usize, chunk: &[u8]) -> Row {
    let mut hex = String::with_capacity(BYTES_OF_A_ROW * 3 + 1);
    for index in 0..BYTES_OF_A_ROW {
        if index == BYTES_OF_A_ROW / 2 {
            hex.push(' ');
        }
        hex += &chunk
            .get(index)
            .map_or("   ".to_owned(), |byte| format!("{byte:02x} "));
    }
    let printable = |&byte: &u8| {
        if (0x20..0x7f).contains(&byte) {
            char::from(byte)
        } else {
            '.'
        }
    };
    Row {
        offset: format!("{offset:08x}"),
        hex,
        printable: chunk.iter().map(printable).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: &[u8], shape: Shape) -> String {
        Payload::new(bytes, shape).render().expect("a payload")
    }

    #[test]
    fn formatted_text_is_escaped() {
        let page = page(
            br#"{"<script>":"</pre><img onerror=alert(1)>"}"#,
            Shape::Pretty,
        );
        assert!(
            !page.contains("<script>") && !page.contains("<img"),
            "{page}"
        );
        assert!(page.contains("&#60;script&#62;"), "{page}");
    }

    #[test]
    fn what_is_not_json_is_shown_raw_with_a_note() {
        let page = page(b"a=1&b=\x00\xff", Shape::Pretty);
        assert!(page.contains("at byte 7"), "{page}");
        assert!(page.contains("U+0000") && page.contains("0xFF"), "{page}");
    }

    #[test]
    fn hexadecimal_has_offsets_and_printable_characters() {
        let row = row(16, b"AB\x00\xff0123456789");
        assert_eq!(row.offset, "00000010");
        assert_eq!(row.hex, "41 42 00 ff 30 31 32 33  34 35 36 37 38 39       ");
        assert_eq!(row.printable, "AB..0123456789");
    }

    #[test]
    fn large_bodies_are_cut_between_characters() {
        let body = "ä".repeat(MOST_RAW);
        for shift in 0..2 {
            let payload = Payload::new(&body.as_bytes()[shift * 2..], Shape::Raw);
            assert!(payload.raw.iter().all(|run| !run.is_mark()));
        }
        let odd = format!("x{body}");
        assert!(
            Payload::new(odd.as_bytes(), Shape::Raw)
                .raw
                .iter()
                .all(|run| !run.is_mark())
        );
        assert!(
            Payload::new(odd.as_bytes(), Shape::Raw)
                .note
                .contains("more")
        );
        assert_eq!(
            Payload::new(&vec![0x80; MOST_RAW * 2], Shape::Hex)
                .rows
                .len(),
            MOST_LINES
        );
        assert!(cut(&vec![0x80; MOST_RAW * 2], MOST_RAW) >= MOST_RAW - 4);
    }
}
