//! `hookfast completions`.

use super::Arguments;
use clap::CommandFactory;
use std::{io::Write, process::ExitCode};

/// Prints a script with which a shell completes these commands, for example
/// `hookfast completions bash > /etc/bash_completion.d/hookfast`.
#[derive(clap::Args)]
pub(super) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut Arguments::command(),
            "hookfast",
            &mut script,
        );
        // A pipe that is closed is no failure, as for everything that is printed.
        let _ = std::io::stdout().lock().write_all(&script);
        Ok(ExitCode::SUCCESS)
    }
}
