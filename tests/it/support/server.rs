//! A real `hookfast` process: started, queried, signalled and killed.

use super::{raw_http::Client, wait_until};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

/// The secret that signs incoming webhooks.
pub(crate) const AIRALO_SECRET: &str = "test-client-secret-0123456789abcdef";

/// The secret that signs outgoing webhooks.
pub(crate) const HANDLER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A running process; it is killed when dropped.
pub(crate) struct Server {
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    _config: Option<tempfile::TempDir>,
}

impl Server {
    /// `hookfast serve` on that database, with a configuration, on free ports.
    pub(crate) fn serve(database_url: &str, config: &str, arguments: &[&str]) -> Self {
        Self::serving(database_url, config, arguments, &[])
    }

    /// The same, with more environment.
    pub(crate) fn serve_with(
        database_url: &str,
        config: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::serving(database_url, config, &[], environment)
    }

    fn serving(
        database_url: &str,
        config: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file: PathBuf = folder.path().join("hookfast.toml");
        std::fs::write(&file, config).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command
            .arg("serve")
            .args(arguments)
            .arg("--config")
            .arg(&file)
            .env("DATABASE_URL", database_url);
        command.envs(environment.iter().copied());
        Self::start(command, Some(folder))
    }

    /// The same, with all of Hookfast's own messages in its log.
    pub(crate) fn serve_talkative(database_url: &str, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hookfast.toml");
        std::fs::write(&file, config).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command
            .args(["serve", "--config"])
            .arg(&file)
            .env("DATABASE_URL", database_url);
        command
            .env("AIRALO_CLIENT_SECRET", AIRALO_SECRET)
            .env("RUST_LOG", "debug,hookfast=trace");
        Self::spawn(command, Some(folder))
    }

    /// Any command that finally listens, on free ports.
    pub(crate) fn start(mut command: Command, config: Option<tempfile::TempDir>) -> Self {
        command.env("AIRALO_CLIENT_SECRET", AIRALO_SECRET);
        Self::spawn(command, config)
    }

    /// The same, with its output in that file.
    pub(crate) fn start_printing(mut command: Command, output: &std::path::Path) -> Self {
        command.env("AIRALO_CLIENT_SECRET", AIRALO_SECRET);
        let output = std::fs::File::create(output).expect("a file");
        Self::spawn_with(command, None, Stdio::from(output))
    }

    /// The same with no other secret than the command has.
    pub(crate) fn start_as_it_is(command: Command) -> Self {
        Self::spawn(command, None)
    }

    /// Replaces the configuration that it was started with.
    pub(crate) fn configure(&self, config: &str) {
        let folder = self
            ._config
            .as_ref()
            .expect("it was started with a configuration");
        std::fs::write(folder.path().join("hookfast.toml"), config).expect("a file");
    }

    /// The same, if it has to find a secret by itself.
    pub(crate) fn start_without_secret(mut command: Command) -> Self {
        command.env_remove("AIRALO_CLIENT_SECRET");
        Self::spawn(command, None)
    }

    fn spawn(command: Command, config: Option<tempfile::TempDir>) -> Self {
        Self::spawn_with(command, config, Stdio::null())
    }

    fn spawn_with(mut command: Command, config: Option<tempfile::TempDir>, output: Stdio) -> Self {
        command
            .env("HANDLER_SECRET", HANDLER_SECRET)
            .env("HOOKFAST_LISTEN", "127.0.0.1:0")
            .env("HOOKFAST_ADMIN_LISTEN", "127.0.0.1:0")
            .env("HOOKFAST_CONSOLE_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::piped());
        if !command.get_envs().any(|(name, _)| name == "RUST_LOG") {
            command.env("RUST_LOG", "warn,hookfast=info");
        }
        let mut process = command.spawn().expect("the process starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, kept) = (
            BufReader::new(process.stderr.take().expect("piped")).lines(),
            log.clone(),
        );
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| kept.lock().expect("no holder panics").push(line))
        });
        Self {
            process,
            log,
            _config: config,
        }
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no holder panics").join("\n")
    }

    /// Waits for a line of its log.
    pub(crate) async fn logged(&self, text: &str) {
        wait_until(&format!("the log line {text:?}"), async || {
            self.log().contains(text)
        })
        .await;
    }

    async fn address(&self, variable: &str) -> SocketAddr {
        let mark = format!("variable=\"{variable}\"");
        self.logged(&mark).await;
        let log = self.log();
        let line = log
            .lines()
            .find(|line| line.contains(&mark))
            .expect("just seen");
        let (_, rest) = line.split_once("address=").expect("the address is logged");
        rest.split_whitespace()
            .next()
            .expect("a word")
            .parse()
            .expect("an address")
    }

    /// The address for webhooks.
    pub(crate) async fn ingress(&self) -> SocketAddr {
        self.address("HOOKFAST_LISTEN").await
    }

    /// The address of the admin server.
    pub(crate) async fn admin(&self) -> SocketAddr {
        self.address("HOOKFAST_ADMIN_LISTEN").await
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&self) {
        let admin = self.admin().await;
        wait_until("readiness", async || get(admin, "/readyz").await == 200).await;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the process is there");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).expect("a pid"))
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut ended = None;
        wait_until("the end of the process", async || {
            ended = self.process.try_wait().expect("it is ours");
            ended.is_some()
        })
        .await;
        ended.expect("just seen")
    }

    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.ended().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.process.kill(), self.process.wait());
        if thread::panicking() {
            #[allow(
                clippy::print_stderr,
                reason = "a failed test shows the output of the process"
            )]
            {
                eprintln!("--- log of the process\n{}", self.log());
            }
        }
    }
}

/// The status of a GET; 0 if nothing answers.
pub(crate) async fn get(address: SocketAddr, path: &str) -> u16 {
    if tokio::net::TcpStream::connect(address).await.is_err() {
        return 0;
    }
    let mut client = Client::connect(address).await;
    client
        .send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
        .await;
    client.answer().await.status
}
