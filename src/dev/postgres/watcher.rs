//! Ends Postgres with us, also when we are killed: a child that waits at the end of a pipe whose other end only we hold.
//!
//! A parent-death signal would not do: it is lost at setuid, and it fires when the spawning thread ends.

use super::account::Account;
use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Stdio},
};

/// The watching child. Dropped without [`Watcher::dismiss`], it ends Postgres.
#[derive(Debug)]
pub(super) struct Watcher {
    child: Child,
}

impl Watcher {
    /// Starts it. `leftovers` are removed once it had to end Postgres.
    pub(super) fn start(account: Account, data: &Path, leftovers: &[&Path]) -> io::Result<Self> {
        let mut command = account.command("/bin/sh");
        command
            .args(["-c", include_str!("watcher.sh"), "hookfast-watcher"])
            .arg(data)
            .args(leftovers);
        // A group of its own, so that a ctrl-C at the terminal does not reach it. The pipe is close-on-exec.
        let child = command.process_group(0).stdin(Stdio::piped()).spawn()?;
        Ok(Self { child })
    }

    /// Says whom to watch.
    pub(super) fn watch(&mut self, postmaster: u32) -> io::Result<()> {
        self.tell(&postmaster.to_string())
    }

    /// Postgres has ended: there is nothing left to watch.
    pub(super) fn dismiss(&mut self) {
        // It fails only where the watcher is gone already.
        let _ = self.tell("ended");
        self.child.stdin = None;
        let _ = self.child.wait();
    }

    fn tell(&mut self, line: &str) -> io::Result<()> {
        let pipe = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        pipe.write_all(format!("{line}\n").as_bytes())
    }
}
