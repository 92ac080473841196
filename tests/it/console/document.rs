//! `docs/CONSOLE.md` has exactly the console's pages, changes, rights, keys and settings.

use super::Site;
use std::{collections::BTreeSet, fs, path::Path};

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// The rows of the table of a section, by cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = file("docs/CONSOLE.md");
    let section = page.split(&format!("\n## {heading}\n")).nth(1);
    let section = section.expect(heading).split("\n## ").next();
    let lines = section.unwrap_or_default().lines();
    let rows = lines.filter(|line| line.starts_with("| "));
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = rows.skip(1).map(cells).collect();
    assert!(rows.len() > 5, "{heading}");
    rows
}

/// The texts between backquotes.
fn code(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn between(text: &str, start: &str, end: &str) -> BTreeSet<String> {
    let found = text.split(start).skip(1);
    found
        .filter_map(|rest| Some(rest.split_once(end)?.0.to_owned()))
        .collect()
}

fn routes() -> BTreeSet<String> {
    between(&file("src/console/mod.rs"), ".route(\"", "\"")
}

#[test]
fn the_document_lists_every_page() {
    let listed: BTreeSet<String> = table("Pages")
        .iter()
        .map(|row| code(&row[0]).remove(0))
        .collect();
    assert_eq!(listed, routes());
}

#[test]
fn the_document_lists_every_shortcut_and_each_leads_to_a_page() {
    let mut listed = Vec::new();
    for row in table("Keyboard") {
        listed.push(code(&row[0]));
    }
    let mut shown: Vec<Vec<String>> = file("src/console/templates/shortcuts.html")
        .lines()
        .filter(|line| line.contains("<kbd>"))
        .map(|line| {
            line.split("<kbd>")
                .skip(1)
                .filter_map(|rest| Some(rest.split_once('<')?.0.to_owned()))
                .collect()
        })
        .collect();
    // The list does not list its own key.
    shown.push(vec!["?".to_owned()]);
    listed.sort();
    shown.sort();
    assert_eq!(listed, shown);

    let script = file("src/console/assets/console.js");
    let pages = script
        .split_once("const pages = {")
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(pages, _)| pages.to_owned());
    let pages = pages.expect("the pages of the keys");
    let keys: BTreeSet<String> = pages
        .split(',')
        .filter_map(|pair| Some(pair.split_once(':')?.0.trim().to_owned()))
        .collect();
    let after_g = listed
        .iter()
        .filter(|keys| keys[0] == "g" && keys.len() == 2);
    let after_g: BTreeSet<String> = after_g.map(|keys| keys[1].clone()).collect();
    assert_eq!(keys, after_g);
    for address in between(&pages, "\"", "\"")
        .iter()
        .filter(|text| text.starts_with('/'))
    {
        assert!(routes().contains(address), "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_lists_every_change_and_who_may_make_it() {
    let mut acts = BTreeSet::new();
    for name in ["mod", "deliveries", "rest"] {
        let source = file(&format!("src/console/acts/table/{name}.rs"));
        let functions = source.split("function: &functions::").skip(1);
        acts.extend(functions.filter_map(|rest| Some(rest.split_once(',')?.0.to_lowercase())));
    }
    let site = Site::new().await;
    let mut expected = BTreeSet::new();
    for act in acts {
        let mut row = vec![format!("`{act}`")];
        for role in [&site.reader, &site.support, &site.operator] {
            let may = format!(
                "(SELECT bool_and(has_function_privilege('{role}', p.oid, 'EXECUTE')) FROM pg_proc p \
                 WHERE p.pronamespace = 'hookfast'::regnamespace AND p.proname = '{act}')"
            );
            let may = site.text(&may).await;
            row.push(if may == "true" { "yes" } else { "no" }.to_owned());
        }
        expected.insert(row);
    }
    let listed: BTreeSet<_> = table("Changes").into_iter().collect();
    assert_eq!(listed, expected);
}

/// The sources of the console's pages.
fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(fs::read_to_string(path).expect("a source"));
        }
    }
}

/// Those of every list, and of a login.
const UNLISTED: [&str; 3] = ["cursor", "next", "ticket"];

#[test]
fn the_document_lists_the_parameters_of_pages() {
    let mut all = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console"),
        &mut all,
    );
    let all = all.join("\n");
    let mut read = between(&all, "parameter(\"", "\"");
    read.extend(between(&all, "const PARAMETER: &str = \"", "\""));
    let known = between(&all, "pub(super) const KNOWN: [&str; ", "];");
    read.extend(
        known
            .iter()
            .flat_map(|names| between(names, "\n    \"", "\"")),
    );
    assert!(
        read.contains("conflicts") && read.contains("with"),
        "{read:?}"
    );
    let listed: BTreeSet<String> = table("Pages")
        .iter()
        .flat_map(|row| code(&row[1]))
        .collect();
    for name in read
        .iter()
        .filter(|name| !UNLISTED.contains(&name.as_str()))
    {
        assert!(listed.contains(name), "{name}");
    }
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    for name in listed.iter().filter(|name| name.chars().all(is_name)) {
        assert!(all.contains(&format!("\"{name}\"")), "{name}");
    }
}

/// The lines of a section of the sample file, without the marks of comments.
fn sample(section: &str) -> Vec<String> {
    let sample = file("docs/hookfast.sample.toml").replace("\n#", "\n");
    let part = sample.split(&format!("\n[{section}]\n")).nth(1);
    let part = part.expect(section).split("\n[").next();
    part.unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_document_lists_every_setting_of_the_console() {
    let mut expected = BTreeSet::new();
    for section in ["console", "console.proxy"] {
        let names = sample(section).into_iter().filter_map(|line| {
            let (name, _) = line.split_once(" = ")?;
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
            name.chars()
                .all(is_name)
                .then(|| format!("[{section}] {name}"))
        });
        expected.extend(names);
    }
    assert!(expected.len() > 6, "{expected:?}");
    let reference = file("docs/CONFIGURATION.md");
    let variables = between(&reference, "`HOOKFAST_CONSOLE_", "`");
    assert!(variables.len() > 2, "{variables:?}");
    let variables = variables
        .iter()
        .map(|name| format!("HOOKFAST_CONSOLE_{name}"));
    expected.extend(variables);
    let listed: BTreeSet<String> = table("Settings")
        .iter()
        .map(|row| code(&row[0]).remove(0))
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn settings_of_the_document_are_those_of_the_configuration() {
    let page = file("docs/CONSOLE.md");
    let reference = file("docs/CONFIGURATION.md");
    let named: BTreeSet<_> = page
        .split(|c: char| !c.is_ascii_uppercase() && c != '_')
        .filter(|word| word.starts_with("HOOKFAST_CONSOLE_") || *word == "DATABASE_URL")
        .collect();
    assert!(named.len() > 1, "{named:?}");
    for name in named {
        assert!(reference.contains(&format!("`{name}`")), "{name}");
    }
    let settings: Vec<_> = code(&page)
        .into_iter()
        .filter_map(|text| {
            Some(text.strip_prefix('[')?.split_once("] ")?)
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
        })
        .collect();
    assert!(!settings.is_empty());
    for (section, key) in settings {
        let has = |line: &String| line.starts_with(&format!("{key} = "));
        assert!(sample(&section).iter().any(has), "[{section}] {key}");
    }
}
