//! JSON for people, from the bytes as they were stored.
//!
//! Tokens are copied and never parsed into values: a number keeps its digits, however many, and
//! duplicate keys and the order of members stay. What the page shows is what the sender wrote,
//! apart from white space.

use super::marks::{self, Breaks, Run};

/// One line: an indentation, and the tokens of one member or element.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Line<'a> {
    pub(crate) indent: String,
    pub(crate) tokens: Vec<Token<'a>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token<'a> {
    /// The class in the stylesheet: `key`, `string`, `number`, `literal` or `punct`.
    pub(crate) class: &'static str,
    pub(crate) runs: Vec<Run<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Formatted<'a> {
    pub(crate) lines: Vec<Line<'a>>,
    /// How many bytes of the payload the lines have, if not all: a page has a limit, the payload has
    /// none.
    pub(crate) cut_at: Option<usize>,
}

/// How much a page shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    pub(crate) lines: usize,
    /// In bytes of the page.
    pub(crate) room: usize,
}

/// Where the text stops being JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// In bytes, from 0.
    pub(crate) offset: usize,
    pub(crate) expected: &'static str,
}

impl Invalid {
    /// The note beside the raw text.
    pub(crate) fn message(&self) -> String {
        format!(
            "This is not JSON: at byte {}, {} was expected. It is shown as it was stored.",
            self.offset, self.expected
        )
    }
}

/// Deeper levels are no further to the right, or the text would leave the page.
const DEEPEST_INDENT: usize = 24;

/// Formats the beginning and checks all of the text. It has no recursion: the depth of a
/// payload is the sender's choice.
pub(crate) fn format(bytes: &[u8], most: Most) -> Result<Formatted<'_>, Invalid> {
    let text = str::from_utf8(bytes).map_err(|error| Invalid {
        offset: error.valid_up_to(),
        expected: "a character of UTF-8",
    })?;
    let mut writer = Writer {
        lines: Vec::new(),
        cut_at: None,
        most,
    };
    let mut scanner = Scanner { bytes, at: 0 };
    // True for objects.
    let mut open: Vec<bool> = Vec::new();
    writer.line(0, 0);
    loop {
        // One value begins here.
        scanner.white_space();
        let from = scanner.at;
        let opens = matches!(scanner.peek(), Some(b'{' | b'['));
        if opens {
            let is_object = scanner.peek() == Some(b'{');
            scanner.at += 1;
            scanner.white_space();
            let close = if is_object { b'}' } else { b']' };
            if scanner.peek() == Some(close) {
                scanner.at += 1;
                writer.token("punct", if is_object { "{}" } else { "[]" }, from);
            } else {
                writer.token("punct", if is_object { "{" } else { "[" }, from);
                open.push(is_object);
                writer.line(open.len(), scanner.at);
                if is_object {
                    member(&mut scanner, &mut writer, text)?;
                }
                continue;
            }
        } else {
            let class = scanner.scalar()?;
            writer.token(class, &text[from..scanner.at], from);
        }
        // A value has ended: so do all that it completes.
        loop {
            scanner.white_space();
            let Some(&is_object) = open.last() else {
                return match scanner.peek() {
                    None => Ok(Formatted {
                        lines: writer.lines,
                        cut_at: writer.cut_at,
                    }),
                    Some(_) => Err(scanner.invalid("the end")),
                };
            };
            match (scanner.peek(), is_object) {
                (Some(b','), _) => {
                    scanner.at += 1;
                    writer.token("punct", ",", scanner.at);
                    writer.line(open.len(), scanner.at);
                    if is_object {
                        member(&mut scanner, &mut writer, text)?;
                    }
                    break;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    scanner.at += 1;
                    open.pop();
                    writer.line(open.len(), scanner.at);
                    writer.token("punct", if is_object { "}" } else { "]" }, scanner.at);
                }
                (_, true) => return Err(scanner.invalid("a comma or }")),
                (_, false) => return Err(scanner.invalid("a comma or ]")),
            }
        }
    }
}

/// The key of a member, and its colon.
fn member<'a>(
    scanner: &mut Scanner<'_>,
    writer: &mut Writer<'a>,
    text: &'a str,
) -> Result<(), Invalid> {
    scanner.white_space();
    let from = scanner.at;
    if scanner.peek() != Some(b'"') {
        return Err(scanner.invalid("a key in quotes"));
    }
    scanner.string()?;
    writer.token("key", &text[from..scanner.at], from);
    scanner.white_space();
    if scanner.peek() != Some(b':') {
        return Err(scanner.invalid("a colon"));
    }
    scanner.at += 1;
    writer.token("punct", ": ", scanner.at);
    Ok(())
}

struct Writer<'a> {
    lines: Vec<Line<'a>>,
    cut_at: Option<usize>,
    /// What is left.
    most: Most,
}

/// What a token and a line take in a page besides their text.
const OF_A_TOKEN: usize = 40;

impl<'a> Writer<'a> {
    /// `from` is the place in the payload.
    fn line(&mut self, depth: usize, from: usize) {
        if self.cut_at.is_some() {
            return;
        }
        let indent = "  ".repeat(depth.min(DEEPEST_INDENT));
        let room = self.most.room.checked_sub(indent.len() + 1);
        match (room, self.lines.len() < self.most.lines) {
            (Some(room), true) => {
                self.most.room = room;
                self.lines.push(Line {
                    indent,
                    tokens: Vec::new(),
                });
            }
            _ => self.cut_at = Some(from),
        }
    }

    fn token(&mut self, class: &'static str, text: &'a str, from: usize) {
        let (None, Some(line)) = (self.cut_at, self.lines.last_mut()) else {
            return;
        };
        let room = self.most.room.saturating_sub(OF_A_TOKEN);
        let (fits, taken) = marks::fitting(text.as_bytes(), room);
        line.tokens.push(Token {
            class,
            runs: marks::runs(&text[..fits], Breaks::Mark),
        });
        if fits < text.len() {
            line.tokens.push(Token {
                class: "punct",
                runs: marks::runs(" …", Breaks::Mark),
            });
            self.cut_at = Some(from + fits);
        }
        self.most.room = room - taken;
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn invalid(&self, expected: &'static str) -> Invalid {
        Invalid {
            offset: self.at,
            expected,
        }
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        self.at - from
    }

    fn white_space(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn scalar(&mut self) -> Result<&'static str, Invalid> {
        match self.peek() {
            Some(b'"') => self.string().map(|()| "string"),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| "number"),
            _ => {
                let words: [&[u8]; 3] = [b"true", b"false", b"null"];
                let word = words
                    .into_iter()
                    .find(|word| self.bytes[self.at..].starts_with(word));
                self.at += word.ok_or_else(|| self.invalid("a value"))?.len();
                Ok("literal")
            }
        }
    }

    fn string(&mut self) -> Result<(), Invalid> {
        self.at += 1;
        loop {
            self.skip(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.invalid("no control character in a string")),
                None => return Err(self.invalid("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Invalid> {
        let is_hex = |at: usize| self.bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        self.at += match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if (self.at + 2..self.at + 6).all(is_hex) => 6,
            _ => return Err(self.invalid("an escape of JSON")),
        };
        Ok(())
    }

    fn number(&mut self) -> Result<(), Invalid> {
        let digit = |byte: u8| byte.is_ascii_digit();
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let starts_with_zero = self.peek() == Some(b'0');
        match self.skip(digit) {
            0 => return Err(self.invalid("a digit")),
            1 => {}
            length if starts_with_zero => {
                self.at -= length - 1;
                return Err(self.invalid("no digit after a leading 0"));
            }
            _ => {}
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.skip(digit) == 0 {
                return Err(self.invalid("a digit"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.skip(digit) == 0 {
                return Err(self.invalid("a digit"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
