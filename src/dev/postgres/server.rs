//! One running Postgres: start, readiness and shutdown.

use super::{
    ClusterError, ClusterOptions,
    binaries::Binaries,
    data_dir::DataDir,
    error::Doing,
    files,
    port::Port,
    takeover::{self, PidFile},
    watcher::Watcher,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Child,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

/// The longest time that Postgres may take to become ready. After a crash it has to read up to
/// `max_wal_size` of WAL.
const START: Duration = Duration::from_secs(120);

/// How long each kind of shutdown may take before a harder one is used.
const STOP: Duration = Duration::from_secs(10);

/// The maximum number of repeated starts: a port can be lost in a race, and the orphans of a killed
/// postmaster take a moment to end.
const MAX_ATTEMPTS: u32 = 5;

/// A log larger than this, in bytes, is renamed at the next start.
const LARGEST_LOG: u64 = 16 << 20;

/// A Postgres that runs as our child, with the watcher that stops it if we are killed.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    watcher: Watcher,
    port: u16,
    // Its locks are held until this Postgres has ended.
    _data_dir: Arc<DataDir>,
}

impl Server {
    /// Starts Postgres in `data_dir` and waits until it is ready.
    pub(super) fn start(
        data_dir: &Arc<DataDir>,
        binaries: &Binaries,
        options: &ClusterOptions,
        wanted: Port,
    ) -> Result<Self, ClusterError> {
        let stale = takeover::end_predecessor(&data_dir.data())?;
        let (begun, mut tried) = (Instant::now(), 0);
        loop {
            data_dir.make_sockets()?;
            let port = wanted
                .choose(tried)
                .doing(|| "find a free port".to_owned())?;
            match Self::launch(data_dir, binaries, options, port, stale) {
                Err(ClusterError::DidNotStart { problem, .. })
                    if tried < MAX_ATTEMPTS && begun.elapsed() < START =>
                {
                    tracing::debug!(%problem, "starting Postgres again");
                    #[allow(
                        clippy::disallowed_methods,
                        reason = "starting and stopping Postgres blocks"
                    )]
                    sleep(Duration::from_millis(50 << tried));
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    fn launch(
        data_dir: &Arc<DataDir>,
        binaries: &Binaries,
        options: &ClusterOptions,
        port: u16,
        stale: Option<i32>,
    ) -> Result<Self, ClusterError> {
        let (data, log_path, program) = (
            data_dir.data(),
            data_dir.log(),
            binaries.program("postgres"),
        );
        let (log, log_start) =
            open_log(&log_path).doing(|| format!("open {}", log_path.display()))?;
        let mut command = data_dir.account.command(&program);
        command
            .arg("-D")
            .arg(&data)
            .args(settings(data_dir, options, port))
            .current_dir(&data);
        if let Some(pid) = stale {
            // Postgres takes any living process with the pid of the pid file for its predecessor,
            // except a process known as its starter. The pid file has to stay: with it Postgres
            // looks for orphans of its predecessor.
            command.env("PG_GRANDPARENT_PID", pid.to_string());
        }
        // A process group of its own, so that Ctrl-C at the terminal reaches us and not Postgres.
        command.process_group(0).stderr(log);
        let mut watcher = Watcher::start(data_dir.account, &data, &data_dir.leftovers())
            .doing(|| "start the watcher of Postgres".to_owned())?;
        let child = command
            .spawn()
            .doing(|| format!("run {}", program.display()))?;
        let notified = watcher
            .watch(child.id())
            .doing(|| "notify the watcher of Postgres".to_owned());
        let mut server = Self {
            child,
            watcher,
            port,
            _data_dir: Arc::clone(data_dir),
        };
        notified?;
        server.wait_until_ready(&data).map_err(|problem| {
            let log = log_path.clone();
            ClusterError::DidNotStart {
                problem,
                tail: log_since(&log_path, log_start),
                log,
            }
        })?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, data: &Path) -> Result<(), String> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended ({status})"));
            }
            if PidFile::read(data)
                .is_some_and(|file| file.ready && Ok(file.pid) == i32::try_from(self.child.id()))
            {
                return Ok(());
            }
            #[allow(
                clippy::disallowed_methods,
                reason = "starting and stopping Postgres blocks"
            )]
            sleep(Duration::from_millis(5));
        }
        Err(format!("it was not ready after {} s", START.as_secs()))
    }

    /// Stops Postgres with `signal` and waits. After a while it uses a harder signal. SIGINT is a
    /// fast shutdown, SIGQUIT an immediate one, which is like a crash.
    pub(super) fn stop(&mut self, signal: Signal) {
        for signal in [signal, Signal::SIGQUIT, Signal::SIGKILL] {
            if self.has_ended() {
                break;
            }
            // The child has not been waited for, so the pid is still its own.
            if let Ok(pid) = i32::try_from(self.child.id()) {
                let _ = kill(Pid::from_raw(pid), signal);
            }
            let deadline = Instant::now() + STOP;
            while Instant::now() < deadline && !self.has_ended() {
                #[allow(
                    clippy::disallowed_methods,
                    reason = "starting and stopping Postgres blocks"
                )]
                sleep(Duration::from_millis(5));
            }
        }
        self.watcher.dismiss();
    }

    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Signal::SIGINT);
    }
}

/// All settings are given on the command line, so that a cluster made by an earlier version runs
/// with the current settings.
fn settings(data_dir: &DataDir, options: &ClusterOptions, port: u16) -> Vec<String> {
    let ours = [
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        (
            "unix_socket_directories",
            data_dir.sockets().display().to_string(),
        ),
        ("unix_socket_permissions", "0700".to_owned()),
        ("password_encryption", "scram-sha-256".to_owned()),
        ("ssl", "off".to_owned()),
        ("logging_collector", "off".to_owned()),
        ("log_destination", "stderr".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        ("max_connections", options.max_connections.to_string()),
    ];
    let durability = options
        .durability
        .settings()
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let theirs = options
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()));
    let all = ours.into_iter().chain(durability).chain(theirs);
    all.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")])
        .collect()
}

fn open_log(path: &Path) -> std::io::Result<(File, u64)> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.len() > LARGEST_LOG) {
        fs::rename(path, path.with_added_extension("old"))?;
    }
    let log = files::open_private(path)?;
    let start = log.metadata()?.len();
    Ok((log, start))
}

fn log_since(path: &PathBuf, start: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|mut log| {
        log.seek(SeekFrom::Start(start))?;
        log.take(LARGEST_LOG).read_to_end(&mut text)
    });
    match read {
        Ok(_) => super::tail(&String::from_utf8_lossy(&text)).to_owned(),
        Err(error) => format!("(it cannot be read: {error})"),
    }
}
