//! The body of a webhook in the three ways in which a page shows it: formatted, raw and in
//! hexadecimal.

use askama::Template;

use super::{
    json_text::{self, Formatted, Most},
    marks::{self, Breaks, Run},
    number,
};

/// More makes a phone slow, and nobody reads it there.
const MOST: Most = Most {
    lines: 2_000,
    room: 256 * 1024,
};
const MOST_ROWS: usize = 1_024;
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
    /// `rest` says where all of the body is.
    pub(crate) fn new(bytes: &'a [u8], shape: Shape, rest: &str) -> Self {
        let mut payload = Self {
            note: String::new(),
            formatted: None,
            raw: Vec::new(),
            rows: Vec::new(),
        };
        let mut shown = bytes.len();
        match shape {
            Shape::Pretty => match json_text::format(bytes, MOST) {
                Ok(formatted) => {
                    shown = formatted.cut_at.unwrap_or(shown);
                    payload.formatted = Some(formatted);
                }
                Err(invalid) => {
                    payload.note = invalid.message() + " ";
                    shown = payload.raw(bytes);
                }
            },
            Shape::Raw => shown = payload.raw(bytes),
            Shape::Hex => shown = payload.hex(bytes),
        }
        if shown < bytes.len() {
            payload.note += &format!(
                "The page shows the first {} of {} bytes. {rest}",
                grouped(shown),
                grouped(bytes.len())
            );
        }
        payload
    }

    /// Returns how many bytes are shown.
    fn raw(&mut self, bytes: &'a [u8]) -> usize {
        let (fits, _) = marks::fitting(bytes, MOST.room);
        self.raw = marks::runs_of_bytes(&bytes[..fits], Breaks::Keep);
        fits
    }

    fn hex(&mut self, bytes: &[u8]) -> usize {
        let fits = bytes.len().min(MOST_ROWS * BYTES_OF_A_ROW);
        self.rows = bytes[..fits]
            .chunks(BYTES_OF_A_ROW)
            .enumerate()
            .map(|(index, chunk)| row(index * BYTES_OF_A_ROW, chunk))
            .collect();
        fits
    }
}

fn grouped(count: usize) -> String {
    number::grouped(i64::try_from(count).unwrap_or(i64::MAX))
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
        Payload::new(bytes, shape, "Download it.")
            .render()
            .expect("a payload")
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
    fn a_page_shows_the_beginning_of_a_large_body() {
        let of = |text: &str| text.repeat(1_048_576 / text.len());
        let bodies = [
            of("a"),
            of("ä"),
            of("<"),
            of("\u{202e}"),
            of("1,"),
            format!("\"{}\"", of("\\u0000")),
            format!("[{}1]", of("1,")),
            format!("[{}1]", of("{\"a\":\"<\"},")),
            format!("{{\"{}\":1}}", of("&")),
            of("[") + &of("]"),
        ];
        for body in bodies
            .iter()
            .map(String::as_bytes)
            .chain([&[0x80; 1_048_576][..]])
        {
            for shape in [Shape::Pretty, Shape::Raw, Shape::Hex] {
                let page = page(body, shape);
                let begins = String::from_utf8_lossy(&body[..9]);
                assert!(
                    page.len() < 512 * 1024,
                    "{begins}: {} {shape:?}",
                    page.len()
                );
                assert!(page.contains("The page shows the first "), "{begins}");
                assert!(page.contains("bytes. Download it."), "{begins}");
                assert!(!page.contains("0xC3"), "a character is not cut");
            }
        }
        assert_eq!(Payload::new(b"[1]", Shape::Pretty, "x").note, "");
    }
}
