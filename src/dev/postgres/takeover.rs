//! Cleaning up after a killed predecessor, whose Postgres may still run or be stopping, or whose
//! pid file may remain.

use super::ClusterError;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a fast shutdown may take, and then an immediate one.
const PATIENCE: Duration = Duration::from_secs(10);

/// The content of `postmaster.pid`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: i32,
    /// Whether Postgres accepts connections.
    pub(super) ready: bool,
}

impl PidFile {
    /// Returns `None` if the file is missing or incomplete.
    pub(super) fn read(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok().filter(|pid| *pid > 1)?;
        // The eighth line is the state: `starting`, `ready`, `stopping` or `standby`.
        Some(Self {
            pid,
            ready: lines.nth(6).is_some_and(|state| state.trim() == "ready"),
        })
    }
}

/// Stops the Postgres of a predecessor, if one runs on `data`. We hold the lock, so no living
/// process owns it.
///
/// Returns the pid in a remaining pid file. That process is now another one, or none.
pub(super) fn end_predecessor(data: &Path) -> Result<Option<i32>, ClusterError> {
    let Some(PidFile { pid, .. }) = PidFile::read(data) else {
        return Ok(None);
    };
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        if !is_postgres_of(pid, data) {
            break;
        }
        tracing::info!(pid, %signal, "stopping the Postgres of an earlier run");
        let _ = kill(Pid::from_raw(pid), signal);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && is_postgres_of(pid, data) {
            #[allow(
                clippy::disallowed_methods,
                reason = "starting and stopping Postgres blocks"
            )]
            sleep(Duration::from_millis(10));
        }
    }
    if is_postgres_of(pid, data) {
        return Err(ClusterError::StillRunning {
            pid,
            data: data.to_owned(),
        });
    }
    Ok(PidFile::read(data).map(|left| left.pid))
}

/// Whether the process is a Postgres that works in this directory. Pids are reused, so the pid
/// alone proves nothing.
fn is_postgres_of(pid: i32, data: &Path) -> bool {
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return false;
    }
    let process = Path::new("/proc").join(pid.to_string());
    if Path::new("/proc/self").exists() {
        let is_postgres =
            fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "postgres");
        return is_postgres && fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data);
    }
    let Ok(listed) = Command::new("ps")
        .args(["-o", "args=", "-p", &pid.to_string()])
        .output()
    else {
        return true;
    };
    let arguments = String::from_utf8_lossy(&listed.stdout);
    arguments.contains("postgres") && arguments.contains(&*data.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_in_each_of_its_states() {
        let file = |state: &str| {
            format!("4711\n/d/pg\n1760000000\n15001\n/d/s\n127.0.0.1\n  1234 5\n{state}\n")
        };
        assert_eq!(
            PidFile::parse(&file("ready   ")),
            Some(PidFile {
                pid: 4711,
                ready: true
            })
        );
        assert_eq!(
            PidFile::parse(&file("starting")),
            Some(PidFile {
                pid: 4711,
                ready: false
            })
        );
        assert_eq!(
            PidFile::parse("4711\n/d/pg\n"),
            Some(PidFile {
                pid: 4711,
                ready: false
            })
        );
        for other in ["", "x\n", "0\n", "1\n", "-4711\n"] {
            assert_eq!(PidFile::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_process_that_is_no_postgres_is_left_alone() {
        let here = std::env::current_dir().expect("a test has a working directory");
        let own = i32::try_from(std::process::id()).expect("pids are positive");
        assert!(!is_postgres_of(own, &here));
    }
}
