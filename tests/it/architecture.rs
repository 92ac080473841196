//! The table of modules in docs/ARCHITECTURE.md, the paths in the documents, and former names.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The table of modules in docs/ARCHITECTURE.md: each module with those that it may import.
fn may_use() -> Vec<(String, Vec<String>)> {
    let document = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("a page");
    let names = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(|name| name.trim_start_matches("src/").to_owned())
            .collect()
    };
    let mut table = Vec::new();
    for line in document.lines().filter(|line| line.starts_with("| `src/")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
        let [modules, _, may_use] = cells[..] else {
            panic!("three columns: {line}");
        };
        for module in names(modules) {
            table.push((module, names(may_use)));
        }
    }
    assert!(table.len() >= 15, "{table:?}");
    table
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
    {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push(entry);
        }
    }
    found
}

/// The module of a file: the first part of its path below `src`.
fn module(file: &Path) -> String {
    let inside = file.strip_prefix(source()).expect("below src");
    let first = inside
        .components()
        .next()
        .expect("a part")
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn source() -> PathBuf {
    root().join("src")
}

/// The modules that a file names as `crate::module`, outside its comments.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let named = code.split("crate::").skip(1);
    named
        .map(|rest| {
            rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .next()
                .unwrap_or("")
                .to_owned()
        })
        .collect()
}

#[test]
fn every_import_is_in_the_table_of_modules() {
    let table = may_use();
    let mut wrong = Vec::new();
    for file in files(&source()) {
        let module = module(&file);
        if ["main", "lib"].contains(&module.as_str()) {
            continue;
        }
        let Some((_, may_use)) = table.iter().find(|(name, _)| *name == module) else {
            panic!("docs/ARCHITECTURE.md has no row for src/{module}");
        };
        let text = fs::read_to_string(&file).expect("a source file");
        for import in imports(&text) {
            if import != module && !may_use.contains(&import) {
                wrong.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_of_modules_has_no_circle_and_no_unused_entry() {
    let table = may_use();
    let mut used = BTreeSet::new();
    for file in files(&source()) {
        let text = fs::read_to_string(&file).expect("a source file");
        used.extend(
            imports(&text)
                .into_iter()
                .map(|import| (module(&file), import)),
        );
    }
    for (module, may_use) in &table {
        for other in may_use {
            assert!(
                used.contains(&(module.clone(), other.clone())),
                "{module} does not use {other}"
            );
        }
    }
    // Remove modules whose imports are all removed, until nothing is left.
    let mut left = table;
    while !left.is_empty() {
        let names: BTreeSet<_> = left.iter().map(|(name, _)| name.clone()).collect();
        let before = left.len();
        left.retain(|(_, may_use)| may_use.iter().any(|other| names.contains(other)));
        assert!(left.len() < before, "these import each other: {names:?}");
    }
}

#[test]
fn only_the_store_holds_sql() {
    let mut wrong = Vec::new();
    for file in files(&source()) {
        let text = fs::read_to_string(&file).expect("a source file");
        // The private Postgres creates its own database.
        if ["store", "dev"].contains(&module(&file).as_str()) {
            continue;
        }
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        if code.contains("sqlx::query") || code.contains("sqlx::raw_sql") {
            wrong.push(file.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_has_more_than_one_subject() {
    let long: Vec<_> = files(&source())
        .into_iter()
        .chain(files(&root().join("tests")))
        .filter(|file| {
            fs::read_to_string(file)
                .expect("a source file")
                .lines()
                .count()
                > 600
        })
        .collect();
    assert!(
        long.is_empty(),
        "a file of more than 600 lines has two subjects: {long:?}"
    );
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.is_dir());
    let of_folders = folders.iter().flat_map(|folder| pages(folder));
    of_folders
        .chain(
            files
                .into_iter()
                .filter(|file| file.extension().is_some_and(|e| e == "md")),
        )
        .collect()
}

/// A guarantee names its test, and a page the pages it links to. All of them exist.
#[test]
fn files_and_tests_that_the_documents_name_exist() {
    let root = root();
    let mut missing = Vec::new();
    for page in pages(&root.join("docs"))
        .into_iter()
        .chain([root.join("README.md")])
    {
        let text = fs::read_to_string(&page).expect("a page");
        let named = text.split(['`', '(', ')', ' ', '\n']).filter(|word| {
            (word.starts_with("tests/")
                || word.starts_with("src/")
                || word.ends_with(".md")
                || word.ends_with(".toml"))
                && word.contains(['/', '.'])
                && !word.starts_with("http")
        });
        for name in named.map(|name| name.trim_end_matches([',', '.', ':'])) {
            let beside = page.parent().expect("a folder").join(name);
            // A file of the reader's own.
            let module = root.join(format!("{name}.rs"));
            if name != "hookfast.toml"
                && ![root.join(name), module, beside]
                    .iter()
                    .any(|path| path.exists())
            {
                missing.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Earlier names of tables, columns, functions, values and settings. The compiler does not see them
/// in SQL, in JSON, in scripts and in documents.
const FORMER_NAMES: [&str; 33] = [
    "locked_by",
    "tries_left",
    "next_try_at",
    "tries_used",
    "operator_log",
    "stepped_at",
    "at_least_another",
    "still_owed",
    "checked_says",
    "registry_version",
    "news_types",
    "raise_news",
    "hookfast.news",
    "hookfast.holds",
    "hookfast.pause(",
    "hookfast.resume(",
    "hookfast.hold(",
    "hookfast.unhold(",
    "hookfast.release(",
    "hookfast.reverify(",
    "hookfast.postpone",
    "hookfast.extend(",
    "hookfast.id_at",
    "hookfast_data.id_at",
    "'tries'",
    "\"tries\"",
    "'{bad,warn,ok}'",
    "quarantine.answer`",
    "[worker] grace",
    "\\ngrace =",
    "[ingress] waiting",
    "airalo_expect(",
    "airalo_forget(",
];

#[test]
fn no_former_name_is_left() {
    let root = root();
    let folders = [
        "benches",
        "docs",
        "examples",
        "migrations",
        "schema",
        "scripts",
        "src",
        "tests",
    ];
    let mut texts: Vec<_> = folders
        .iter()
        .flat_map(|folder| everything(&root.join(folder)))
        .collect();
    texts.extend(
        [
            "README.md",
            "CONTRIBUTING.md",
            "Dockerfile",
            "docker-compose.yml",
        ]
        .map(|file| root.join(file)),
    );
    assert!(texts.len() > 700, "{} files", texts.len());
    let mut left = Vec::new();
    for file in texts.iter().filter(|file| !file.ends_with(file!())) {
        let Ok(text) = fs::read_to_string(file) else {
            continue;
        };
        for name in FORMER_NAMES.iter().filter(|name| text.contains(**name)) {
            left.push(format!("{}: {name}", file.display()));
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

fn everything(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let (folders, mut files): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.is_dir());
    files.extend(folders.iter().flat_map(|folder| everything(folder)));
    files
}
