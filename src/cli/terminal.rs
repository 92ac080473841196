//! The terminal that a process was started on.

use std::io::{IsTerminal, stderr, stdin, stdout};

/// Which of the standard streams were a terminal.
pub(super) struct Terminal([bool; 3]);

impl Terminal {
    pub(super) fn of_process() -> Self {
        Self([
            stdin().is_terminal(),
            stdout().is_terminal(),
            stderr().is_terminal(),
        ])
    }

    /// Whether it has been closed since then. The streams stop being a terminal before the kernel
    /// sends SIGHUP for that.
    pub(super) fn is_closed(&self) -> bool {
        let Self(now) = Self::of_process();
        self.0.iter().zip(now).any(|(was, is)| *was && !is)
    }
}
