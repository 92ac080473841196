//! The pulling clients of the examples, as real processes.

use super::server::Server;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A language with an example client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
}

impl Language {
    /// The languages whose pulling clients are tested.
    pub(crate) fn tested() -> Vec<Self> {
        [Self::Python, Self::Node]
            .into_iter()
            .filter(|language| is_tested(language.name(), language.libraries().exists()))
            .collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }

    fn libraries(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("target/clients")
            .join(match self {
                Self::Python => "python/bin/python",
                Self::Node => "node/node_modules",
            })
    }

    /// A client of that handler, with more environment. It logs `ready` when it listens.
    pub(crate) fn start(
        self,
        database_url: &str,
        handler: &str,
        environment: &[(&str, &str)],
    ) -> Server {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pull");
        let (mut command, folder) = match self {
            Self::Python => {
                let mut command = Command::new(self.libraries());
                command.arg(examples.join("python/worker.py"));
                (command, None)
            }
            Self::Node => {
                // Node searches modules beside the file.
                let folder = tempfile::tempdir().expect("a folder");
                let program = folder.path().join("worker.mjs");
                fs::copy(examples.join("node/worker.mjs"), &program).expect("copied");
                std::os::unix::fs::symlink(self.libraries(), folder.path().join("node_modules"))
                    .expect("linked");
                let mut command = Command::new("node");
                command.arg(program);
                (command, Some(folder))
            }
        };
        command
            .arg(handler)
            .env("DATABASE_URL", database_url)
            .envs(environment.iter().copied());
        Server::start(command, folder)
    }
}

/// Whether the examples in a language are tested. `HOOKFAST_TEST_CLIENTS` is the list of languages
/// that scripts/test has set up, or `all`, and each of them must be set up. Without it, the tests
/// use what an earlier run has set up, and report skipped parts.
fn is_tested(language: &str, is_set_up: bool) -> bool {
    let named = std::env::var("HOOKFAST_TEST_CLIENTS").ok();
    let is_named = named
        .as_deref()
        .is_some_and(|names| names == "all" || names.split(',').any(|name| name == language));
    assert!(
        is_set_up || !is_named,
        "the libraries of {language} are missing: run scripts/test"
    );
    let is_tested = is_named || named.is_none() && is_set_up;
    if !is_tested {
        #[allow(clippy::print_stderr, reason = "a skipped test reports it")]
        {
            eprintln!("skipped: the examples in {language} (HOOKFAST_TEST_CLIENTS is {named:?})");
        }
    }
    is_tested
}

/// The languages whose receivers are tested.
pub(crate) fn receivers() -> Vec<&'static str> {
    let mut tested: Vec<_> = Language::tested().into_iter().map(Language::name).collect();
    let modules = Command::new("php")
        .arg("-m")
        .output()
        .map(|modules| modules.stdout)
        .unwrap_or_default();
    let has_php = String::from_utf8_lossy(&modules)
        .lines()
        .any(|module| module == "pdo_pgsql");
    if is_tested("php", has_php) {
        tested.push("php");
    }
    tested
}

/// A receiver of `examples/receivers`; it ends when dropped.
pub(crate) struct Receiver {
    process: Child,
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    errors: tempfile::NamedTempFile,
    _folder: Option<tempfile::TempDir>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Receiver {
    /// What it has written to standard error.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(self.errors.path()).expect("a file")
    }

    pub(crate) async fn start(language: &str, database_url: &str) -> Self {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/receivers");
        let port = free_port();
        let (mut command, mut folder) = (Command::new(language), None);
        match language {
            "python" => {
                command = Command::new(Language::Python.libraries());
                command
                    .arg(examples.join("python/receiver.py"))
                    .arg(port.to_string());
            }
            "node" => {
                let beside = beside_node_libraries("receiver.mjs");
                command
                    .arg(beside.path().join("receiver.mjs"))
                    .arg(port.to_string());
                folder = Some(beside);
            }
            _ => {
                command
                    .arg("-S")
                    .arg(format!("127.0.0.1:{port}"))
                    .arg(examples.join("php/receiver.php"));
            }
        }
        command.env("DATABASE_URL", database_url);
        Self::run(command, port, folder).await
    }

    /// The example of `docs/HANDLERS.md`.
    pub(crate) async fn express() -> Self {
        let (port, folder) = (free_port(), beside_node_libraries("express.mjs"));
        let mut command = Command::new("node");
        command
            .arg(folder.path().join("express.mjs"))
            .env("PORT", port.to_string());
        Self::run(command, port, Some(folder)).await
    }

    async fn run(mut command: Command, port: u16, folder: Option<tempfile::TempDir>) -> Self {
        let errors = tempfile::NamedTempFile::new().expect("a file");
        command.env("SHOP_WEBHOOK_SECRET", super::server::HANDLER_SECRET);
        command
            .stderr(errors.reopen().expect("a file"))
            .stdout(Stdio::null());
        let process = command.spawn().expect("it starts");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let receiver = Self {
            process,
            url: format!("http://{address}/hook"),
            address,
            errors,
            _folder: folder,
        };
        super::wait_until("the receiver", async || {
            tokio::net::TcpStream::connect(address).await.is_ok()
        })
        .await;
        receiver
    }
}

fn free_port() -> u16 {
    let listener =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.expect("a port").port()
}

/// A folder with that program of the examples: Node searches modules beside the file.
fn beside_node_libraries(program: &str) -> tempfile::TempDir {
    let (root, beside) = (
        Path::new(env!("CARGO_MANIFEST_DIR")),
        tempfile::tempdir().expect("a folder"),
    );
    fs::copy(
        root.join("examples/receivers/node").join(program),
        beside.path().join(program),
    )
    .expect("copied");
    let libraries = root.join("target/clients/node-receiver/node_modules");
    std::os::unix::fs::symlink(libraries, beside.path().join("node_modules")).expect("linked");
    beside
}
