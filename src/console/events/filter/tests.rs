use super::*;

fn filter(parameters: &[(&str, &str)]) -> Filter {
    Filter::parse(Address::to("/events"), |name| {
        let found = parameters.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn times_are_utc_and_exist() {
    assert_eq!(
        parse_time("2026-11-28 12:03:04.5"),
        Some(1_795_867_384_500_000)
    );
    assert_eq!(
        parse_time("2026-11-28T12:03Z"),
        parse_time("2026-11-28 12:03 UTC")
    );
    assert_eq!(parse_time("2026-11-28"), parse_time("2026-11-28 00:00:00"));
    for invalid in [
        "yesterday",
        "2026-02-31",
        "2026-11-28 25:00",
        "2026-11-28 1:00",
        "26-11-28",
        "infinity",
        "",
        "2026-11-28 12:03:04+01",
    ] {
        assert_eq!(parse_time(invalid), None, "{invalid}");
    }
}

#[test]
fn invalid_parameters_are_named() {
    let filter = filter(&[
        ("after", "soon"),
        ("minute", "x"),
        ("cursor", "1"),
        ("type", "a\0"),
    ]);
    assert_eq!(filter.errors.len(), 4, "{:?}", filter.errors);
    assert!(!filter.is_narrow());
}

#[test]
fn the_default_is_a_day() {
    let day = filter(&[]);
    assert!(day.errors.is_empty());
    assert_eq!(day.words(), "the last 24 hours");
    assert_eq!(
        filter(&[("minute", "1795867384")]).words(),
        "the minute of 2026-11-28 12:03"
    );
}

#[test]
fn cursors_have_a_direction() {
    let id = Uuid::from_u128(7);
    for edge in [Edge::OlderThan(id), Edge::NewerThan(id)] {
        assert_eq!(parse_edge(&edge_text(&edge)), Some(edge));
    }
    assert_eq!(parse_edge("newer-"), None);
}
