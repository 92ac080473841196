use proptest::prelude::*;

use super::*;

const ALL: Most = lines(usize::MAX);

const fn lines(lines: usize) -> Most {
    Most {
        lines,
        room: usize::MAX,
    }
}

fn text_of(formatted: &Formatted<'_>) -> String {
    let lines = formatted.lines.iter().map(|line| {
        let tokens = line
            .tokens
            .iter()
            .flat_map(|token| &token.runs)
            .map(Run::text);
        line.indent.clone() + &tokens.collect::<String>()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn shown(json: &str) -> String {
    text_of(&format(json.as_bytes(), ALL).expect("JSON"))
}

#[test]
fn tokens_are_verbatim() {
    for token in [
        "1970670598291982290",
        "1e400",
        "-0",
        "0.10",
        "1E+2",
        "123456789012345678901234567890",
        "-0.0e-0",
    ] {
        assert_eq!(shown(token), token);
    }
    assert_eq!(shown(r#""\u202e\/\ud800""#), r#""\u202e\/\ud800""#);
}

#[test]
fn order_and_duplicates_stay() {
    let expected =
        "{\n  \"b\": 1,\n  \"a\": [\n    true,\n    null\n  ],\n  \"b\": {},\n  \"c\": []\n}";
    assert_eq!(
        shown(r#"{"b":1,"a":[true,null],"b":{ },"c":[ ]}"#),
        expected
    );
}

#[test]
fn keys_are_told_from_strings() {
    let formatted = format(br#"{"a":"b","c":1,"d":true}"#, ALL).expect("JSON");
    let classes = formatted
        .lines
        .iter()
        .flat_map(|line| &line.tokens)
        .map(|token| token.class);
    let classes: Vec<_> = classes.filter(|class| *class != "punct").collect();
    assert_eq!(
        classes,
        ["key", "string", "key", "number", "key", "literal"]
    );
}

#[test]
fn deceptive_characters_are_marks() {
    assert_eq!(shown("\"a\u{202e}b\""), "\"aU+202Eb\"");
}

#[test]
fn depth_needs_no_stack() {
    let deep = "[".repeat(500_000) + &"]".repeat(500_000);
    let formatted = format(deep.as_bytes(), lines(100)).expect("JSON");
    assert_eq!(formatted.lines.len(), 100);
    assert_eq!(formatted.cut_at, Some(100));
    assert!(
        formatted
            .lines
            .iter()
            .all(|line| line.indent.len() <= 2 * DEEPEST_INDENT)
    );
}

#[test]
fn a_page_has_a_limit() {
    let formatted = format(b"[1,2,3]", lines(2)).expect("JSON");
    assert_eq!(text_of(&formatted), "[\n  1,");
    assert_eq!(formatted.cut_at, Some(3));
    assert!(
        format(b"[1,2,3", lines(2)).is_err(),
        "what is not shown is checked too"
    );
}

#[test]
fn one_line_has_a_limit() {
    let long = format!("{{\"a\":\"{}\",\"b\":1}}", "ä".repeat(1_000));
    let most = Most {
        lines: 10,
        room: 400,
    };
    let formatted = format(long.as_bytes(), most).expect("JSON");
    let text = text_of(&formatted);
    assert!(text.ends_with("ä …") && text.len() < 400, "{text}");
    let cut_at = formatted.cut_at.expect("it is cut");
    assert!(long.is_char_boundary(cut_at) && cut_at < 300, "{cut_at}");
    let marks = format!("\"{}\"", "\u{202e}".repeat(100));
    let formatted = format(marks.as_bytes(), most).expect("JSON");
    assert!(text_of(&formatted).matches("U+202E").count() < 5);
    assert_eq!(format(b"[1]", most).expect("JSON").cut_at, None);
}

#[test]
fn invalid_text_says_where() {
    for (text, offset) in [
        ("", 0),
        ("  ", 2),
        ("{\"a\":1,}", 7),
        ("{\"a\" 1}", 5),
        ("{a:1}", 1),
        ("[1 2]", 3),
        ("[1}", 2),
        ("01", 1),
        ("1.", 2),
        ("1e", 2),
        ("-", 1),
        ("nul", 0),
        ("NaN", 0),
        ("\"a", 2),
        ("\"\n\"", 1),
        ("\"\\x\"", 1),
        ("\"\\u12\"", 1),
        ("1 2", 2),
        ("\u{feff}1", 0),
    ] {
        assert_eq!(
            format(text.as_bytes(), ALL).expect_err(text).offset,
            offset,
            "{text}"
        );
    }
    let invalid = format(b"\"\xff\"", ALL).expect_err("not UTF-8");
    assert_eq!(invalid.offset, 1);
    assert!(invalid.message().contains("at byte 1"));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// White space inside strings stays.
fn without_white_space(json: &str) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        let keep = in_string || !c.is_ascii_whitespace();
        match c {
            '"' if !is_escaped => in_string = !in_string,
            _ => {}
        }
        is_escaped = *c == '\\' && !is_escaped;
        keep
    };
    json.chars().filter(is_kept).collect()
}

proptest! {
    #[test]
    fn only_white_space_changes(value in json()) {
        let stored = value.to_string();
        let formatted = format(stored.as_bytes(), ALL);
        prop_assert!(formatted.is_ok(), "{formatted:?}");
        let marked = stored.chars().any(|c| marks::name(c).is_some());
        if let (Ok(formatted), false) = (formatted, marked) {
            prop_assert_eq!(without_white_space(&text_of(&formatted)), stored);
        }
    }

    #[test]
    fn it_agrees_with_serde_about_what_is_json(text in r#"[\[\]{},:"0-9eE.+tfnrueals\\ -]{0,12}"#) {
        let ours = format(text.as_bytes(), ALL).is_ok();
        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(ours, theirs, "{}", text);
    }

    #[test]
    fn bytes_never_panic(bytes in any::<Vec<u8>>(), most in 0..9usize, room in 0..99usize) {
        drop(format(&bytes, Most { lines: most, room }));
    }
}
