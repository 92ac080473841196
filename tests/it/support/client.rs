//! The examples' pulling clients, as real processes.

use super::server::Server;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A language that a client is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
}

impl Language {
    /// Those that scripts/test has set up; without it, those whose libraries are there from an earlier run.
    pub(crate) fn tested() -> Vec<Self> {
        let named = std::env::var("HOOKFAST_TEST_CLIENTS").ok();
        let wanted = |language: &Self| match &named {
            Some(names) => names.split(',').any(|name| name == language.name()),
            None => language.libraries().exists(),
        };
        let languages: Vec<_> = [Self::Python, Self::Node].into_iter().filter(wanted).collect();
        for language in &languages {
            assert!(language.libraries().exists(), "the libraries of {language:?} are not there: run scripts/test");
        }
        languages
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }

    fn libraries(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients").join(match self {
            Self::Python => "python/bin/python",
            Self::Node => "node/node_modules",
        })
    }

    /// A client of that handler, with more environment. It logs `ready` when it listens.
    pub(crate) fn start(self, database_url: &str, handler: &str, environment: &[(&str, &str)]) -> Server {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pull");
        let (mut command, folder) = match self {
            Self::Python => {
                let mut command = Command::new(self.libraries());
                command.arg(examples.join("python/worker.py"));
                (command, None)
            }
            Self::Node => {
                // Modules are looked for beside the file.
                let folder = tempfile::tempdir().expect("a folder");
                let program = folder.path().join("worker.mjs");
                fs::copy(examples.join("node/worker.mjs"), &program).expect("copied");
                std::os::unix::fs::symlink(self.libraries(), folder.path().join("node_modules")).expect("linked");
                let mut command = Command::new("node");
                command.arg(program);
                (command, Some(folder))
            }
        };
        command.arg(handler).env("DATABASE_URL", database_url).envs(environment.iter().copied());
        Server::start(command, folder)
    }
}
