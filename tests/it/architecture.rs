//! The directions of the house: who may import whom, and that only one folder holds SQL.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each room with what it may import of ours.
const MAY_USE: [(&str, &[&str]); 19] = [
    ("boot_time", &[]),
    ("domain", &[]),
    ("health", &[]),
    ("metrics", &[]),
    ("throttle", &[]),
    ("http", &["throttle"]),
    ("signing", &[]),
    ("cluster", &[]),
    ("sources", &["domain", "signing"]),
    ("store", &["boot_time", "domain", "throttle"]),
    ("handlers", &["domain", "signing", "store"]),
    ("receiver", &["handlers", "signing"]),
    (
        "ingress",
        &[
            "domain", "health", "http", "metrics", "signing", "sources", "store", "throttle",
        ],
    ),
    (
        "worker",
        &[
            "boot_time",
            "domain",
            "handlers",
            "health",
            "metrics",
            "store",
            "throttle",
        ],
    ),
    ("maintenance", &["health", "metrics", "store", "throttle"]),
    (
        "airalo",
        &[
            "domain", "handlers", "signing", "sources", "store", "throttle",
        ],
    ),
    ("admin", &["health", "http", "throttle"]),
    (
        "config",
        &[
            "airalo", "domain", "handlers", "ingress", "signing", "sources", "worker",
        ],
    ),
    (
        "app",
        &[
            "admin",
            "airalo",
            "config",
            "domain",
            "handlers",
            "health",
            "ingress",
            "maintenance",
            "metrics",
            "sources",
            "store",
            "throttle",
            "worker",
        ],
    ),
];

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

/// The room of a file: the first part of its path below `src`.
fn room(file: &Path) -> String {
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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The rooms a file names as `crate::room`, outside its comments.
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
fn every_import_goes_the_way_the_architecture_says() {
    let mut wrong = Vec::new();
    for file in files(&source()) {
        let room = room(&file);
        let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == room) else {
            assert!(
                ["cli", "main", "lib"].contains(&room.as_str()),
                "{room} is a new room: say here what it may import"
            );
            continue;
        };
        let text = fs::read_to_string(&file).expect("a source file");
        for import in imports(&text) {
            if import != room && !may_use.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_store_holds_sql() {
    let mut wrong = Vec::new();
    for file in files(&source()) {
        let text = fs::read_to_string(&file).expect("a source file");
        // The private cluster makes its own database, and a handler's example may show its SQL.
        if ["store", "cluster"].contains(&room(&file).as_str()) {
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
        .chain(files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")))
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
        "past 600 lines a file has two subjects: {long:?}"
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

/// A promise names the test that holds it, and a page the pages it goes on to: all of them exist.
#[test]
fn what_the_documents_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
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
            // The reader's own file.
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

/// Names that tables, columns, functions, values and settings had before: the compiler does not see them in SQL, in JSON,
/// in scripts and in documents.
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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
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
