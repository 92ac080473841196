//! A file lock that gives a directory one owner at a time. It is held as long as the process lives.

use super::{ClusterError, error::Doing, files};
use std::{
    fs::{File, TryLockError},
    io::{Read, Write},
    path::Path,
    time::{Duration, Instant},
};

/// How long to wait for a lock that is held only in passing.
const PASSING: Duration = Duration::from_secs(2);

/// The lock on a directory. The system releases it however the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `dir`. The error names the holder.
    pub(super) fn take(dir: &Path) -> Result<Self, ClusterError> {
        let path = dir.join("lock");
        let mut file = files::open_private(&path).doing(|| format!("open {}", path.display()))?;
        match try_for_a_while(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file
                    .take(20)
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| text.trim().parse::<u32>().ok());
                let holder = pid.map_or_else(
                    || "another process".to_owned(),
                    |pid| format!("process {pid}"),
                );
                return Err(ClusterError::InUse {
                    dir: dir.to_owned(),
                    holder,
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(ClusterError::Io {
                    doing: format!("lock {}", path.display()),
                    source,
                });
            }
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .doing(|| format!("write {}", path.display()))?;
        Ok(Self { _file: file })
    }
}

/// A child process that is being started has its parent's files until it executes its own program.
/// For a moment it holds the lock that its parent has already released.
fn try_for_a_while(file: &File) -> Result<(), TryLockError> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if started.elapsed() < PASSING => {
                #[allow(
                    clippy::disallowed_methods,
                    reason = "starting and stopping Postgres blocks"
                )]
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other,
        }
    }
}
