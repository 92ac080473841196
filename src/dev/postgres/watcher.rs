//! Stops Postgres when we end, even if we are killed. The watcher is a child that waits for the end
//! of a pipe whose other end only we hold.
//!
//! A parent-death signal is not enough: it is lost at setuid, and it fires when the spawning thread
//! ends.

use super::account::Account;
use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Stdio},
};

/// The watching child. Dropping it without [`Watcher::dismiss`] stops Postgres.
#[derive(Debug)]
pub(super) struct Watcher {
    child: Child,
}

impl Watcher {
    /// Starts the watcher. It removes `leftovers` after it had to stop Postgres.
    pub(super) fn start(account: Account, data: &Path, leftovers: &[&Path]) -> io::Result<Self> {
        let mut command = account.command("/bin/sh");
        command
            .args(["-c", include_str!("watcher.sh"), "hookfast-watcher"])
            .arg(data)
            .args(leftovers);
        // A process group of its own, so that Ctrl-C at the terminal does not reach it. The pipe is
        // close-on-exec.
        let child = command.process_group(0).stdin(Stdio::piped()).spawn()?;
        Ok(Self { child })
    }

    /// Names the process to watch.
    pub(super) fn watch(&mut self, postmaster: u32) -> io::Result<()> {
        self.send_line(&postmaster.to_string())
    }

    /// Ends the watcher after Postgres has ended.
    pub(super) fn dismiss(&mut self) {
        // This fails only if the watcher has already ended.
        let _ = self.send_line("ended");
        self.child.stdin = None;
        let _ = self.child.wait();
    }

    fn send_line(&mut self, line: &str) -> io::Result<()> {
        let pipe = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        pipe.write_all(format!("{line}\n").as_bytes())
    }
}
