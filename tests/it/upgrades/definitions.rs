//! Every object is defined once, in a file with its name, and a public view gets new columns only
//! at its end.

use super::Upgraded;
use hookfast::internals::store::{ObjectKind, Schema};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every SQL file below a folder of the project.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).expect("a folder") {
        let path = entry.expect("an entry").path();
        let below = path
            .strip_prefix(root())
            .expect("below the project")
            .to_str()
            .expect("a name")
            .to_owned();
        if path.is_dir() {
            found.extend(files(&below));
        } else if below.ends_with(".sql") {
            found.push(below.into());
        }
    }
    found
}

#[test]
fn every_file_of_the_schema_is_in_the_list() {
    let listed: BTreeSet<_> = Schema::of_this_program()
        .objects
        .iter()
        .map(|object| PathBuf::from(format!("schema/{}.sql", object.path)))
        .collect();
    let there: BTreeSet<_> = files("schema").into_iter().collect();
    assert_eq!(
        listed, there,
        "src/store/migrate/objects.rs lists each file of schema/"
    );
}

/// Why everybody may call a function, if they may use its schema.
const NO_REVOKE: &str = "-- No REVOKE: ";

/// A statement ends with a semicolon at the end of a line, outside of a body.
fn statements(definition: &str) -> Vec<String> {
    let (mut statements, mut statement, mut inside) = (Vec::new(), String::new(), false);
    for line in definition
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
    {
        inside ^= line.matches("$$").count() % 2 == 1
            || line == "BEGIN ATOMIC"
            || inside && line == "END;";
        statement += line;
        statement.push('\n');
        if !inside && line.ends_with(';') {
            statements.push(std::mem::take(&mut statement));
        }
    }
    assert!(statement.trim().is_empty(), "{statement}");
    statements
}

#[test]
fn a_file_defines_the_object_that_it_is_named_after_and_nothing_else() {
    let objects = Schema::of_this_program().objects;
    assert!(objects.len() > 100, "{}", objects.len());
    for object in objects {
        let (name, statements) = (object.name(), statements(object.definition));
        let kind = match object.kind() {
            ObjectKind::Function => "FUNCTION",
            ObjectKind::View => "VIEW",
        };
        let begins = [
            format!("CREATE OR REPLACE {kind} {name}"),
            format!("COMMENT ON {kind} {name}"),
            format!("REVOKE ALL ON {kind} {name} FROM PUBLIC;"),
        ];
        assert!(
            statements[0].starts_with(&begins[0]),
            "{}: {}",
            object.path,
            statements[0]
        );
        assert!(
            statements[1].starts_with(&begins[1]),
            "{}: {}",
            object.path,
            statements[1]
        );
        assert!(
            statements[2..].iter().all(|s| s.starts_with(&begins[2])),
            "{}: {statements:?}",
            object.path
        );
        let is_revoked = statements.len() > 2;
        let says_why_not = object
            .definition
            .lines()
            .any(|line| line.starts_with(NO_REVOKE));
        match object.kind() {
            ObjectKind::Function => assert_ne!(
                is_revoked, says_why_not,
                "{}: Postgres lets everybody call a new function. End the file with {}, or with {NO_REVOKE}and the reason",
                object.path, begins[2]
            ),
            ObjectKind::View => assert!(!says_why_not, "{}", object.path),
        }
    }
}

#[test]
fn no_migration_of_the_baseline_defines_a_function_or_a_view() {
    for file in files("migrations") {
        let text = fs::read_to_string(root().join(&file)).expect("a migration");
        for word in ["FUNCTION", "VIEW", "PROCEDURE", "TRIGGER"] {
            assert!(
                !text.contains(&format!("{word} hookfast")),
                "{} defines a {word}",
                file.display()
            );
        }
    }
}

/// Otherwise a changed parameter would create a second function of the name, and leave the first.
#[tokio::test]
async fn the_database_has_each_function_and_view_once_and_no_other() {
    let mut database = Upgraded::new().await;
    let query = "SELECT string_agg(name, E'\\n' ORDER BY name COLLATE \"C\") FROM ( \
        SELECT n.nspname || '.' || p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
        WHERE n.nspname IN ('hookfast', 'hookfast_data') \
        UNION ALL SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname IN ('hookfast', 'hookfast_data') AND c.relkind IN ('v', 'm')) x";
    let there = database.text(query).await;
    let mut defined: Vec<_> = Schema::of_this_program()
        .objects
        .iter()
        .map(|object| object.name())
        .collect();
    defined.sort();
    assert_eq!(there.lines().collect::<Vec<_>>(), defined);
}

#[test]
fn lines_of_sql_are_at_most_120_columns_wide() {
    let all = ["migrations", "schema", "src/store/sql"]
        .into_iter()
        .flat_map(files);
    let wide: Vec<_> = all
        .flat_map(|file| {
            let text = fs::read_to_string(root().join(&file)).expect("a file");
            let wide = text
                .lines()
                .enumerate()
                .filter(|(_, line)| line.chars().count() > 120);
            wide.map(|(number, _)| format!("{}:{}", file.display(), number + 1))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(wide.is_empty(), "{wide:?}");
}

/// The columns of the last release come first, in their order. Before the first release,
/// `columns.txt` lists the columns of this tree, and may be rewritten.
#[tokio::test]
async fn public_views_only_append_columns() {
    let mut database = Upgraded::new().await;
    let query = "SELECT string_agg(c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod), E'\\n' \
            ORDER BY c.relname COLLATE \"C\", a.attnum) \
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
        WHERE c.relnamespace = 'hookfast'::regnamespace AND c.relkind = 'v'";
    let there = database.text(query).await;
    let path = root().join("tests/it/upgrades/columns.txt");
    let recorded = fs::read_to_string(&path).expect("the columns of the last release");
    let of = |text: &str, view: &str| -> Vec<String> {
        let prefix = format!("{view} ");
        text.lines()
            .filter(|line| line.starts_with(&prefix))
            .map(str::to_owned)
            .collect()
    };
    let views: BTreeSet<_> = there
        .lines()
        .chain(recorded.lines())
        .filter_map(|line| line.split(' ').next())
        .collect();
    for view in views {
        let (now, then) = (of(&there, view), of(&recorded, view));
        assert!(
            now.starts_with(&then),
            "hookfast.{view} had {then:?}, and has {now:?}: a view only appends columns"
        );
        assert_eq!(
            now.len(),
            then.len(),
            "record the new columns of hookfast.{view} in {}",
            path.display()
        );
    }
}
