//! What differs between two payloads, line by line.

use super::{
    json_text::{self, Line, Most, Token},
    marks::{self, Breaks},
    number,
};
use askama::Template;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};
use std::time::{Duration, Instant};

/// What is compared of a payload. A larger one is compared up to there.
const MOST: Most = Most {
    lines: 2_000,
    room: 128 * 1024,
};
/// Lines of a page.
const MOST_LINES: usize = 500;
/// Equal lines that are shown before and after those that differ.
const AROUND: usize = 3;
/// After this time, the lines that are not compared yet count as different.
const LONGEST: Duration = Duration::from_millis(200);

#[derive(Template)]
#[template(path = "difference.html")]
pub(crate) struct Difference<'a> {
    /// What is to be known about the comparison.
    pub(crate) notes: Vec<String>,
    rows: Vec<Row<'a>>,
}

impl askama::filters::HtmlSafe for Difference<'_> {}

enum Row<'a> {
    Line {
        /// `removed`, `added`, or empty for a line of both.
        class: &'static str,
        sign: &'static str,
        line: Line<'a>,
    },
    /// How many lines of both are left out: `98 lines of both`.
    LeftOut(String),
}

/// The lines of a payload that are compared.
struct Compared<'a> {
    lines: Vec<Line<'a>>,
    is_json: bool,
    is_cut: bool,
}

impl<'a> Compared<'a> {
    fn of(payload: &'a [u8]) -> Self {
        if let Ok(mut formatted) = json_text::format(payload, MOST) {
            formatted.lines.iter_mut().for_each(without_comma);
            return Self {
                is_cut: formatted.cut_at.is_some(),
                is_json: true,
                lines: formatted.lines,
            };
        }
        let (fits, _) = marks::fitting(payload, MOST.room);
        let mut lines = payload[..fits].split(|byte| *byte == b'\n');
        let compared = lines.by_ref().take(MOST.lines).map(|line| Line {
            indent: String::new(),
            tokens: vec![Token {
                class: "",
                runs: marks::runs_of_bytes(line, Breaks::Mark),
            }],
        });
        Self {
            lines: compared.collect(),
            is_json: false,
            is_cut: fits < payload.len() || lines.next().is_some(),
        }
    }

    fn notes(&self, which: &str) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.is_json {
            notes.push(format!(
                "The {which} one is not JSON, so its lines are compared as they were stored."
            ));
        }
        if self.is_cut {
            notes.push(format!(
                "The {which} one is too large to compare all of it: only its first {} are compared.",
                counted(self.lines.len())
            ));
        }
        notes
    }
}

/// The comma only says whether another member follows.
fn without_comma(line: &mut Line<'_>) {
    let is_comma = |token: &Token<'_>| matches!(&token.runs[..], [run] if run.text() == ",");
    if line
        .tokens
        .last()
        .is_some_and(|last| last.class == "punct" && is_comma(last))
    {
        line.tokens.pop();
    }
}

impl<'a> Difference<'a> {
    pub(crate) fn new(older: &'a [u8], newer: &'a [u8]) -> Self {
        Self::within(LONGEST, older, newer)
    }

    fn within(longest: Duration, older: &'a [u8], newer: &'a [u8]) -> Self {
        let (older, newer) = (Compared::of(older), Compared::of(newer));
        let mut notes = older.notes("older");
        notes.extend(newer.notes("newer"));
        let deadline = Instant::now() + longest;
        let parts = capture_diff_slices_deadline(
            Algorithm::Myers,
            &older.lines,
            &newer.lines,
            Some(deadline),
        );
        if Instant::now() > deadline {
            notes.push(
                "The comparison took too long and stopped: equal lines may be marked too."
                    .to_owned(),
            );
        }
        let is_equal = |part: &DiffOp| matches!(part, DiffOp::Equal { .. });
        if parts.iter().all(is_equal) {
            notes.push(match older.is_cut || newer.is_cut {
                true => "None of the compared lines differs.".to_owned(),
                false => "No line differs.".to_owned(),
            });
            return Self {
                notes,
                rows: Vec::new(),
            };
        }
        let (mut old, mut new) = (older.lines.into_iter(), newer.lines.into_iter());
        let mut rows = Vec::new();
        let last = parts.len() - 1;
        for (at, part) in parts.iter().enumerate() {
            let (of_old, of_new) = (part.old_range().len(), part.new_range().len());
            if is_equal(part) {
                let both: Vec<_> = old.by_ref().take(of_old).collect();
                new.by_ref().take(of_new).for_each(drop);
                rows.extend(equal(both, at == 0, at == last));
            } else {
                rows.extend(
                    old.by_ref()
                        .take(of_old)
                        .map(|line| row("removed", "−", line)),
                );
                rows.extend(
                    new.by_ref()
                        .take(of_new)
                        .map(|line| row("added", "+", line)),
                );
            }
        }
        if let Some(more @ 1..) = rows.len().checked_sub(MOST_LINES) {
            notes.push(format!(
                "More differs than a page shows: {} left out at the end.",
                number::counted(more as i64, "line is", "lines are")
            ));
            rows.truncate(MOST_LINES);
        }
        Self { notes, rows }
    }
}

/// The equal lines beside those that differ, and how many are left out.
fn equal(both: Vec<Line<'_>>, is_first: bool, is_last: bool) -> Vec<Row<'_>> {
    let before = if is_first { 0 } else { AROUND };
    let after = if is_last { 0 } else { AROUND };
    let left_out = both.len().saturating_sub(before + after);
    let mut rows: Vec<_> = both.into_iter().map(|line| row("", " ", line)).collect();
    if left_out > 1 {
        rows.splice(
            before..before + left_out,
            [Row::LeftOut(format!("{} of both", counted(left_out)))],
        );
    }
    rows
}

fn row<'a>(class: &'static str, sign: &'static str, line: Line<'a>) -> Row<'a> {
    Row::Line { class, sign, line }
}

fn counted(lines: usize) -> String {
    number::counted(lines as i64, "line", "lines")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(row: &Row<'_>) -> String {
        match row {
            Row::Line { sign, line, .. } => {
                let runs = line.tokens.iter().flat_map(|token| &token.runs);
                let text: String = runs.map(|run| run.text()).collect();
                format!("{sign}{}{text}", line.indent)
            }
            Row::LeftOut(lines) => format!("… {lines}"),
        }
    }

    fn rows(older: &str, newer: &str) -> Vec<String> {
        let difference = Difference::new(older.as_bytes(), newer.as_bytes());
        difference.rows.iter().map(text).collect()
    }

    #[test]
    fn members_that_differ_are_marked() {
        assert_eq!(
            rows(
                r#"{"id":1,"n":1970670598291982290,"x":null}"#,
                r#"{"id":1,"n":1970670598291982291,"x":null,"y":-0}"#
            ),
            [
                " {",
                "   \"id\": 1",
                "−  \"n\": 1970670598291982290",
                "+  \"n\": 1970670598291982291",
                "   \"x\": null",
                "+  \"y\": -0",
                " }",
            ]
        );
    }

    #[test]
    fn equal_lines_far_from_a_difference_are_left_out() {
        let array = |last: u32| {
            let numbers: Vec<_> = (0..100).chain([last]).map(|n| n.to_string()).collect();
            format!("[{}]", numbers.join(","))
        };
        assert_eq!(
            rows(&array(7), &array(8)),
            [
                "… 98 lines of both",
                "   97",
                "   98",
                "   99",
                "−  7",
                "+  8",
                " ]"
            ]
        );
        let page = Difference::new(b"[1,2,3,4,5]", b"[1,2,3,4,5,6]").render();
        let page = page.expect("a page");
        assert!(page.contains("… 3 lines of both"), "{page}");
    }

    #[test]
    fn payloads_that_differ_only_in_white_space_are_equal() {
        let same = Difference::new(b"{\"a\":1}", b" { \"a\" : 1 } ");
        assert!(same.rows.is_empty());
        assert_eq!(same.notes, ["No line differs."]);
    }

    #[test]
    fn the_texts_of_senders_are_escaped_and_marked() {
        let page = Difference::new(b"<script>\n\x00\xff", "{\"\u{202e}<img>\":1}".as_bytes());
        let page = page.render().expect("a page");
        assert!(
            !page.contains("<script>") && !page.contains("<img"),
            "{page}"
        );
        assert!(page.contains("&#60;script&#62;"), "{page}");
        for mark in ["U+0000", "0xFF", "U+202E"] {
            assert!(page.contains(mark), "{mark}: {page}");
        }
        assert!(page.contains("The older one is not JSON"), "{page}");
        assert!(!page.contains("The newer one"), "{page}");
    }

    #[test]
    fn large_payloads_are_compared_in_part_and_the_page_says_so() {
        let numbers = |n: u32| format!("[{}1]", format!("{n},").repeat(400_000)).into_bytes();
        let deceptive = "\u{202e}".repeat(300_000).into_bytes();
        for (older, newer) in [
            (numbers(1), numbers(2)),
            (vec![0xff; 1 << 20], numbers(3)),
            (deceptive, b"<\n".repeat(500_000)),
        ] {
            let difference = Difference::new(&older, &newer);
            assert!(difference.notes.len() >= 3, "{:?}", difference.notes);
            let page = difference.render().expect("a page");
            assert!(page.len() < 512 * 1024, "{}", page.len());
            for which in ["older", "newer"] {
                let note = format!("The {which} one is too large to compare all of it");
                assert!(page.contains(&note), "{note}");
            }
        }
        let longer = Difference::new(&numbers(1), &numbers(1)).notes;
        assert_eq!(
            longer.last().map(String::as_str),
            Some("None of the compared lines differs.")
        );
    }

    #[test]
    fn a_comparison_that_takes_too_long_stops() {
        let lines = |from: u32| (from..from + 1_000).map(|n| format!("{}\n", n * 7 % 1_009));
        let (older, newer): (String, String) = (lines(1).collect(), lines(400).collect());
        let (older, newer) = (older.as_bytes(), newer.as_bytes());
        let stopped = Difference::within(Duration::ZERO, older, newer);
        let took_too_long = |note: &String| note.starts_with("The comparison took too long");
        assert!(stopped.notes.iter().any(took_too_long));
        let complete = Difference::within(Duration::from_secs(60), older, newer);
        assert!(!complete.notes.iter().any(took_too_long));
        assert!(!complete.rows.is_empty());
    }
}
