//! Texts that people read: the help of every command, which is docs/CLI.md, and errors of commands.
//! `HOOKFAST_UPDATE_SNAPSHOTS=1 cargo test --test it -- snapshots` rewrites the files.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const CLI_PAGE: &str = "# Command line

The help of every command. `hookfast COMMAND --help` prints the same. A test compares this page with the program.
";

/// Runs the program in an empty folder, without a terminal and without this machine's settings.
fn hookfast(arguments: &[&str], folder: &Path, variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hookfast"))
        .args(arguments)
        .env_clear()
        .env("COLUMNS", "100")
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

/// Compares with a file, or writes it.
fn compare(path: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("HOOKFAST_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, text).expect("written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let different = (expected.lines().zip(text.lines())).find(|(expected, text)| expected != text);
    assert!(
        expected == text,
        "{} differs, first here: {different:?}. If the new text is right, run this test with HOOKFAST_UPDATE_SNAPSHOTS=1",
        path.display()
    );
}

/// The names below `Commands:` in a help text.
fn subcommands(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    commands
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn describe(command: &[&str], folder: &Path, page: &mut String) -> usize {
    let arguments: Vec<_> = command.iter().copied().chain(["--help"]).collect();
    let output = hookfast(&arguments, folder, &[]);
    let help = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{arguments:?}");
    let name: Vec<_> = ["hookfast"].iter().chain(command).copied().collect();
    let (name, level) = (name.join(" "), "#".repeat(2 + command.len().min(2)));
    let trimmed: Vec<_> = help.lines().map(str::trim_end).collect();
    let text = trimmed.join("\n");
    let _ = write!(page, "\n{level} {name}\n\n```text\n{}\n```\n", text.trim());
    let mut described = 1;
    for subcommand in subcommands(&help) {
        let command: Vec<_> = command
            .iter()
            .copied()
            .chain([subcommand.as_str()])
            .collect();
        described += describe(&command, folder, page);
    }
    described
}

#[test]
fn the_help_of_every_command_is_the_page_cli() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut page = CLI_PAGE.to_owned();
    let described = describe(&[], folder.path(), &mut page);
    assert!(described > 50, "{described} commands");
    compare("docs/CLI.md", &page);
}

const BROKEN: &str = "[sources.shop]
kind = 'airalo'
secrets = ['plain-text']

[handlers.mail]
kind = 'http'
types = ['order..created']
sources = ['shopp']
url = 'ftp://example.com'
secrets = ['env:MAIL_SECRET']
timeout = '5 minutes'
";

#[test]
fn errors_of_commands_have_a_cause_and_a_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("broken.toml"), BROKEN).expect("written");
    fs::write(folder.path().join("key.toml"), "[ingres]\n").expect("written");
    let unreachable = [("DATABASE_URL", "postgres://hookfast@127.0.0.1:1/shop")];
    let none: [(&str, &str); 0] = [];
    let mut page = String::new();
    for (arguments, variables) in [
        (&["check"][..], &none[..]),
        (&["check", "--config", "missing.toml"], &none),
        (&["check", "--config", "broken.toml"], &unreachable),
        (&["check", "--config", "key.toml"], &unreachable),
        (&["events"], &none),
        (&["events"], &unreachable),
        (&["events", "--limit", "many"], &unreachable),
        (&["dead-letters", "retry", "7"], &unreachable),
        (
            &[
                "deliveries",
                "reschedule",
                "7",
                "--due-at",
                "soon",
                "--why",
                "x",
            ],
            &unreachable,
        ),
        (&["send", "shop"], &none),
        (&["listen", "--secret", "short"], &none),
    ] {
        let output = hookfast(arguments, folder.path(), variables);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("text");
        let text = text
            .replace(&*folder.path().to_string_lossy(), "FOLDER")
            // As macOS numbers it.
            .replace("(os error 61)", "(os error 111)");
        let trimmed: Vec<_> = text.trim().lines().map(str::trim_end).collect();
        let _ = write!(
            page,
            "$ hookfast {}{}\n{}\nexit code {}\n\n",
            arguments.join(" "),
            if variables.is_empty() {
                ""
            } else {
                "   # with DATABASE_URL"
            },
            trimmed.join("\n"),
            output.status.code().expect("a code")
        );
        assert!(!output.status.success(), "{arguments:?}: {text}");
    }
    compare("tests/it/snapshots/errors.txt", &page);
}
