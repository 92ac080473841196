//! `docs/CONFIGURATION.md` has a row for every setting that the sample file shows, with its
//! default. That the sample file shows every setting is tested beside the parser.

use std::{collections::BTreeMap, fs, path::Path};

/// Tables in which the sample file shows the defaults.
const SHOWS_DEFAULTS: [&str; 5] = [
    "`[ingress]`",
    "`[quarantine]`",
    "`[worker]`",
    "`[retention]`",
    "`[roles]`",
];

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a page")
}

/// A table as the headings of the reference name it: sources and handlers have names of the
/// reader's choice.
fn table(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('.').collect();
    if parts.len() > 1 && parts[0] != "console" {
        parts[1] = "NAME";
    }
    format!("`[{}]`", parts.join("."))
}

/// The settings of the sample file, also those that are commented out: the value by table and key.
fn settings(sample: &str) -> BTreeMap<(String, String), String> {
    let mut settings = BTreeMap::new();
    let mut current = "Top level".to_owned();
    for line in sample
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line))
    {
        let is_key = |key: &str| {
            !key.is_empty()
                && key
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b"_-".contains(&b))
        };
        if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            current = table(name);
        } else if let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| is_key(key)) {
            settings.insert((current.clone(), key.to_owned()), value.to_owned());
        }
    }
    // Their keys are headers of the reader's choice.
    settings.retain(|(table, _), _| table != "`[handlers.NAME.headers]`");
    settings
}

#[test]
fn the_reference_has_a_row_for_every_setting() {
    let (reference, settings) = (
        page("docs/CONFIGURATION.md"),
        settings(&page("docs/hookfast.sample.toml")),
    );
    assert!(settings.len() > 60, "{settings:?}");
    let sections: Vec<&str> = reference.split("\n## ").skip(1).collect();
    for ((table, key), value) in &settings {
        let has_heading = |section: &&&str| {
            section
                .lines()
                .next()
                .is_some_and(|heading| heading.contains(table))
        };
        let rows: Vec<&str> = sections
            .iter()
            .filter(has_heading)
            .flat_map(|section| section.lines())
            .collect();
        let row = rows
            .iter()
            .find(|row| row.starts_with(&format!("| `{key}` |")));
        let row =
            row.unwrap_or_else(|| panic!("docs/CONFIGURATION.md has no row for {key} of {table}"));
        let default = format!("| `{}` |", value.trim_matches('"'));
        if SHOWS_DEFAULTS.contains(&table.as_str()) {
            assert!(
                row.contains(&default),
                "docs/CONFIGURATION.md, {key} of {table}: the default is {value}"
            );
        }
    }
}
