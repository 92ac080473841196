//! The configuration: checks before a start, and reading and replacing secrets.

mod address;
mod check;
mod forwarding;
mod pooler;
mod reference;
mod rotation;
mod secrets;

use std::{path::PathBuf, process::Command};

/// Runs a command in a separate folder, without this machine's configuration. Returns whether it
/// succeeded, and its output.
fn hookfast(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    for name in [
        "DATABASE_URL",
        "HOOKFAST_CONFIG",
        "AIRALO_CLIENT_SECRET",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = command
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(&folder)
        .output()
        .expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// A configuration file.
struct File {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("hookfast.toml");
        std::fs::write(&path, text).expect("written");
        Self {
            path,
            _folder: folder,
        }
    }

    fn name(&self) -> &str {
        self.path.to_str().expect("text")
    }
}

/// The output of `hookfast check` for a configuration, without a database.
fn checked(config: &str, variables: &[(&str, &str)]) -> String {
    let file = File::new(config);
    let variables = [
        variables,
        &[("DATABASE_URL", "postgres://127.0.0.1:1/none")],
    ]
    .concat();
    hookfast(&["check", "--config", file.name()], &variables).1
}
