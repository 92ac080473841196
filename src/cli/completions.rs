//! `hookfast completions`.

use super::Arguments;
use clap::CommandFactory;
use std::{io::Write, process::ExitCode};

/// Print a completion script for a shell, for example `hookfast completions bash >
/// /etc/bash_completion.d/hookfast`.
#[derive(clap::Args)]
pub(super) struct Completions {
    /// Shell to complete commands in
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
        // A closed pipe is not an error, as for all output.
        let _ = std::io::stdout().lock().write_all(&script);
        Ok(ExitCode::SUCCESS)
    }
}
