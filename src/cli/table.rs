//! Rows as people read them: columns in line, cut to the terminal; or one row, a line each member.

use serde_json::Value;

/// What a column is never cut below.
const LEAST: usize = 8;

/// Rows as aligned columns under their names, no line wider than `width`. `columns` are members of the rows; a member
/// that no row has is left out.
pub(super) fn rows(rows: &[Value], columns: &[&str], width: usize) -> String {
    let columns: Vec<&str> =
        columns.iter().copied().filter(|name| rows.iter().any(|row| !row[*name].is_null())).collect();
    let head = columns.iter().map(|name| title(name)).collect();
    let mut lines: Vec<Vec<String>> = vec![head];
    lines.extend(rows.iter().map(|row| columns.iter().map(|name| cell(name, &row[*name])).collect()));
    let numbers: Vec<bool> =
        columns.iter().map(|name| rows.iter().all(|row| row[*name].is_number() || row[*name].is_null())).collect();
    let wants: Vec<usize> =
        (0..columns.len()).map(|i| lines.iter().map(|line| length(&line[i])).max().unwrap_or(0)).collect();
    let widths = fit(&columns, wants, width);
    let mut text = String::new();
    for line in lines {
        let mut drawn = String::new();
        for (i, cell) in line.iter().enumerate() {
            let cell = cut(cell, widths[i]);
            let gap = " ".repeat(widths[i].saturating_sub(length(&cell)));
            let between = if i == 0 { "" } else { "  " };
            let (left, right) = if numbers[i] { (gap.as_str(), "") } else { ("", gap.as_str()) };
            drawn.push_str(&format!("{between}{left}{cell}{right}"));
        }
        text.push_str(&cut(drawn.trim_end(), width));
        text.push('\n');
    }
    text
}

/// One row, a line each member that has something; what is deep is written as JSON below.
pub(super) fn record(row: &Value, members: &[&str]) -> String {
    let there: Vec<_> = members.iter().filter(|name| !row[**name].is_null()).collect();
    let wide = there.iter().map(|name| length(&title(name))).max().unwrap_or(0);
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
        let gap = if deep { String::new() } else { " ".repeat(wide + 2 - length(&title)) };
        text.push_str(&format!("{title}{gap}{shown}\n"));
    }
    text
}

fn title(name: &str) -> String {
    name.replace('_', " ")
}

/// A member's value in one line.
pub(super) fn cell(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if name == "at" || name.ends_with("_at") => time(text),
        Value::String(text) => plain(text, false),
        Value::Array(values) => values.iter().map(|value| cell(name, value)).collect::<Vec<_>>().join(","),
        other => plain(&other.to_string(), false),
    }
}

/// A time of Postgres's JSON, to the second. Sessions are in UTC, so it is.
fn time(text: &str) -> String {
    let (Some(day), Some(second)) = (text.get(..10), text.get(11..19)) else { return plain(text, false) };
    if text.as_bytes().get(10) == Some(&b'T') { format!("{day} {second}") } else { plain(text, false) }
}

/// Text of others must not steer a terminal: what is no letter, mark or space of ours is shown as a dot.
pub(super) fn plain(text: &str, lines: bool) -> String {
    let shown = |c: char| match c {
        '\n' if lines => c,
        c if c.is_control() || is_format(c) => '·',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// What turns the direction of text, or takes no room.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The widest text gives way until all fit; ids, times and numbers never do.
fn fit(columns: &[&str], wants: Vec<usize>, width: usize) -> Vec<usize> {
    let mut widths = wants;
    let firm = |name: &str| name == "at" || ["_at", "_id", "count"].iter().any(|end| name.ends_with(end));
    while widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > width {
        let widest = (0..widths.len()).filter(|i| !firm(columns[*i]) && widths[*i] > LEAST).max_by_key(|i| widths[*i]);
        let Some(widest) = widest else { break };
        widths[widest] -= 1;
    }
    widths
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_stand_in_line_and_empty_ones_are_left_out() {
        let drawn = rows(
            &[
                json!({"delivery_id": 7, "handler": "shop", "at": "2026-07-01T12:00:03.5+00:00", "why": null}),
                json!({"delivery_id": 1234, "handler": "a-longer-one", "at": null, "why": null}),
            ],
            &["delivery_id", "handler", "at", "why"],
            120,
        );
        assert_eq!(
            drawn,
            "delivery id  handler       at\n          7  shop          2026-07-01 12:00:03\n       1234  a-longer-one\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_ids_stay_whole() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let wide = json!({"event_id": id, "says": "x".repeat(300), "type": "y".repeat(50)});
        for width in [60, 80, 120] {
            let drawn = rows(std::slice::from_ref(&wide), &["event_id", "type", "says"], width);
            assert!(drawn.lines().all(|line| line.chars().count() <= width), "{drawn}");
            assert!(drawn.contains(id) && drawn.contains('…'), "{drawn}");
        }
        assert!(rows(&[wide], &["event_id", "says"], 20).lines().all(|line| line.chars().count() <= 20));
    }

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        let row = json!({"type": "a\u{1b}[2Jb\nc\u{202e}d", "payload": {"long": "\u{9b}31m".repeat(30)}});
        let drawn = rows(std::slice::from_ref(&row), &["type"], 120) + &record(&row, &["type", "payload"]);
        assert!(drawn.contains("a·[2Jb·c·d"), "{drawn}");
        assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()), "{drawn:?}");
    }

    #[test]
    fn a_record_has_a_line_for_each_member_that_is_there() {
        let row = json!({"event_id": "x", "received_at": "2026-07-01T12:00:00+00:00", "gone": null, "yes": true, "of": ["a", "b"]});
        assert_eq!(
            record(&row, &["event_id", "received_at", "gone", "yes", "of"]),
            "event id     x\nreceived at  2026-07-01 12:00:00\nyes          yes\nof           a,b\n"
        );
    }
}
