//! Rows as people read them: aligned columns that fit the terminal, or one row with a line for each
//! member.

use serde_json::Value;

/// The minimum width of a column.
const LEAST: usize = 8;

/// The minimum width of a column of reasons while other columns can still be cut.
const LEAST_WRAPPED: usize = 30;

/// Columns that explain something. They are wrapped, never cut.
const WRAPPED: [&str; 8] = [
    "message",
    "why",
    "error",
    "last_error",
    "sample_error",
    "last_result",
    "details",
    "not_ready",
];

/// Formats rows as aligned columns under their names. `columns` are members of the rows; a column
/// without any value is omitted. With a `width`, reasons are wrapped and other text is cut to fit;
/// ids, times and numbers stay whole. Without a `width`, nothing is wrapped or cut.
pub(super) fn rows(rows: &[Value], columns: &[&str], width: Option<usize>) -> String {
    let filled = |name: &&str| rows.iter().any(|row| !cell(name, &row[*name]).is_empty());
    let columns: Vec<&str> = columns.iter().copied().filter(filled).collect();
    let head = columns.iter().map(|name| title(name)).collect();
    let mut lines: Vec<Vec<String>> = vec![head];
    lines.extend(
        rows.iter()
            .map(|row| columns.iter().map(|name| cell(name, &row[*name])).collect()),
    );
    let numbers: Vec<bool> = columns
        .iter()
        .map(|name| {
            rows.iter()
                .all(|row| row[*name].is_number() || row[*name].is_null())
        })
        .collect();
    let wants: Vec<usize> = (0..columns.len())
        .map(|i| lines.iter().map(|line| length(&line[i])).max().unwrap_or(0))
        .collect();
    let widths = width.map_or_else(
        || wants.clone(),
        |width| fit(&columns, wants.clone(), width),
    );
    lines
        .iter()
        .map(|line| drawn(&columns, line, &widths, &numbers))
        .collect()
}

/// Formats one row, with as many lines as its longest wrapped cell.
fn drawn(columns: &[&str], line: &[String], widths: &[usize], numbers: &[bool]) -> String {
    let cells: Vec<Vec<String>> = columns
        .iter()
        .zip(line.iter().zip(widths))
        .map(|(name, (cell, width))| {
            if is_wrapped(name) {
                wrap(cell, *width)
            } else {
                vec![cut(cell, *width)]
            }
        })
        .collect();
    let mut text = String::new();
    for nth in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
        let mut drawn = String::new();
        for (i, lines) in cells.iter().enumerate() {
            let cell = lines.get(nth).map_or("", String::as_str);
            let gap = " ".repeat(widths[i].saturating_sub(length(cell)));
            let between = if i == 0 { "" } else { "  " };
            let (left, right) = if numbers[i] {
                (gap.as_str(), "")
            } else {
                ("", gap.as_str())
            };
            drawn.push_str(&format!("{between}{left}{cell}{right}"));
        }
        text.push_str(drawn.trim_end());
        text.push('\n');
    }
    text
}

/// Formats one row, with a line for each member that has a value. A nested value is printed as JSON
/// below its name.
pub(super) fn record(row: &Value, members: &[&str]) -> String {
    let there: Vec<_> = members
        .iter()
        .filter(|name| !row[**name].is_null())
        .collect();
    let wide = there
        .iter()
        .map(|name| length(&title(name)))
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for name in there {
        let value = &row[*name];
        let deep = (value.is_object() || value.is_array()) && value.to_string().len() > 60;
        let shown = if deep {
            let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
            format!("\n    {}", plain(&pretty, true).replace('\n', "\n    "))
        } else {
            cell(name, value)
        };
        let title = title(name);
        let gap = if deep {
            String::new()
        } else {
            " ".repeat(wide + 2 - length(&title))
        };
        text.push_str(&format!("{title}{gap}{shown}\n"));
    }
    text
}

fn title(name: &str) -> String {
    name.replace('_', " ")
}

/// The value of a member in one line.
pub(super) fn cell(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if name == "at" || name.ends_with("_at") => time(text),
        // A time span, to the second.
        Value::String(text) if name.ends_with("_age") => {
            plain(text.split('.').next().unwrap_or(text), false)
        }
        Value::String(text) => plain(text, false),
        Value::Array(values) => values
            .iter()
            .map(|value| cell(name, value))
            .collect::<Vec<_>>()
            .join(","),
        other => plain(&other.to_string(), false),
    }
}

/// Shortens a time in Postgres's JSON to the second. Sessions are in UTC, so the time is too.
fn time(text: &str) -> String {
    let (Some(day), Some(second)) = (text.get(..10), text.get(11..19)) else {
        return plain(text, false);
    };
    if text.as_bytes().get(10) == Some(&b'T') {
        format!("{day} {second}")
    } else {
        plain(text, false)
    }
}

/// Text from others must not control the terminal: control and format characters are shown as a
/// dot.
pub(super) fn plain(text: &str, lines: bool) -> String {
    let shown = |c: char| match c {
        '\n' if lines => c,
        c if c.is_control() || is_format(c) => '·',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// Characters that change the direction of text or have no width.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Shrinks the widest column until all fit: first reasons, down to a width at which they are still
/// readable, then other text, then reasons again. Ids, times and numbers keep their width. If that
/// is not enough, the terminal breaks the line.
fn fit(columns: &[&str], wants: Vec<usize>, width: usize) -> Vec<usize> {
    let mut widths = wants;
    let firm = |name: &str| {
        name == "at"
            || ["_at", "_id", "count"]
                .iter()
                .any(|end| name.ends_with(end))
    };
    for (wrapped, least) in [(true, LEAST_WRAPPED), (false, LEAST), (true, 2 * LEAST)] {
        while widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > width {
            let may_shrink = |i: &usize| {
                is_wrapped(columns[*i]) == wrapped && !firm(columns[*i]) && widths[*i] > least
            };
            let Some(widest) = (0..widths.len())
                .filter(may_shrink)
                .max_by_key(|i| widths[*i])
            else {
                break;
            };
            widths[widest] -= 1;
        }
    }
    widths
}

fn is_wrapped(column: &str) -> bool {
    WRAPPED.contains(&column)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Wraps text between words. A word that is longer than a line is broken.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() || length(line) + 1 + length(word) <= width {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
        while lines.last().is_some_and(|line| length(line) > width) {
            let line = lines.pop().expect("just seen");
            let at = line
                .char_indices()
                .nth(width)
                .map_or(line.len(), |(at, _)| at);
            lines.extend([line[..at].to_owned(), line[at..].to_owned()]);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_aligned_and_empty_ones_are_omitted() {
        let drawn = rows(
            &[
                json!({"delivery_id": 7, "handler": "shop", "at": "2026-07-01T12:00:03.5+00:00", "why": null}),
                json!({"delivery_id": 1234, "handler": "a-longer-one", "at": null, "why": null}),
            ],
            &["delivery_id", "handler", "at", "why"],
            Some(120),
        );
        assert_eq!(
            drawn,
            "delivery id  handler       at\n          7  shop          2026-07-01 12:00:03\n       1234  a-longer-one\n"
        );
    }

    #[test]
    fn on_a_terminal_reasons_are_wrapped_other_text_is_cut_and_ids_stay_whole() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let reason = "status 500: no stock, and 7 of 9 attempts failed in the last hour";
        let wide = json!({"event_id": id, "message": reason, "type": "y".repeat(50)});
        for width in [80, 100, 120] {
            let drawn = rows(
                std::slice::from_ref(&wide),
                &["event_id", "type", "message"],
                Some(width),
            );
            assert!(
                drawn.lines().all(|line| line.chars().count() <= width),
                "{drawn}"
            );
            assert!(
                drawn.contains(id) && drawn.contains('…') == (width < 120),
                "{drawn}"
            );
            let words: Vec<&str> = drawn.split_whitespace().collect();
            assert!(
                reason.split(' ').all(|word| words.contains(&word)),
                "a reason is whole: {drawn}"
            );
        }
        let narrow = rows(&[wide], &["event_id", "message"], Some(20));
        assert!(
            narrow.contains(id) && narrow.contains("status 500: no"),
            "{narrow}"
        );
        let word = json!({"error": "x".repeat(300)});
        let broken = rows(&[word], &["error"], Some(40));
        assert!(
            broken.lines().all(|line| line.chars().count() <= 40),
            "{broken}"
        );
        assert_eq!(broken.matches('x').count(), 300);
    }

    #[test]
    fn nothing_is_cut_without_a_terminal() {
        let row = json!({"type": "y".repeat(300), "message": "one two ".repeat(100), "empty": "", "none": []});
        let drawn = rows(
            std::slice::from_ref(&row),
            &["type", "message", "empty", "none"],
            None,
        );
        assert_eq!(drawn.lines().count(), 2);
        assert!(
            drawn.contains(&"y".repeat(300)) && !drawn.contains('…'),
            "{drawn}"
        );
        assert!(
            !drawn.contains("empty") && !drawn.contains("none"),
            "columns of nothing are left out: {drawn}"
        );
    }

    #[test]
    fn foreign_text_cannot_control_the_terminal() {
        let row =
            json!({"type": "a\u{1b}[2Jb\nc\u{202e}d", "payload": {"long": "\u{9b}31m".repeat(30)}});
        let drawn = rows(std::slice::from_ref(&row), &["type"], Some(120))
            + &record(&row, &["type", "payload"]);
        assert!(drawn.contains("a·[2Jb·c·d"), "{drawn}");
        assert!(
            drawn.chars().all(|c| c == '\n' || !c.is_control()),
            "{drawn:?}"
        );
    }

    #[test]
    fn a_record_has_a_line_for_each_present_member() {
        let row = json!({"event_id": "x", "received_at": "2026-07-01T12:00:00+00:00", "gone": null, "yes": true, "of": ["a", "b"], "ready_age": "00:00:01.674813"});
        assert_eq!(
            record(
                &row,
                &["event_id", "received_at", "gone", "yes", "of", "ready_age"]
            ),
            "event id     x\nreceived at  2026-07-01 12:00:00\nyes          yes\nof           a,b\nready age    00:00:01\n"
        );
    }
}
