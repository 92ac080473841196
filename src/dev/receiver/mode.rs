//! What the receiver does with a verified webhook, switched while it runs.

use axum::http::StatusCode;
use tokio::sync::watch;

/// What a verified webhook is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 200.
    Ok,
    /// This status.
    Fail(StatusCode),
    /// Nothing, until the mode changes; then 503.
    Hang,
}

/// The switch of a receiver; every copy is the same switch.
#[derive(Clone, Debug)]
pub struct ModeSwitch(watch::Sender<Mode>);

impl ModeSwitch {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Mode::Ok))
    }

    /// What requests that come now get.
    pub fn get(&self) -> Mode {
        *self.0.borrow()
    }

    /// Switches; requests that hang are answered.
    pub fn set(&self, mode: Mode) {
        self.0.send_replace(mode);
    }

    /// Between working and `failing`, for a signal; answers with the new mode.
    pub fn toggle(&self, failing: Mode) -> Mode {
        self.0
            .send_modify(|mode| *mode = if *mode == Mode::Ok { failing } else { Mode::Ok });
        self.get()
    }

    pub(super) async fn changed_from(&self, mode: Mode) {
        // It cannot fail: this copy of the sender lives through the wait.
        let _ = self.0.subscribe().wait_for(|now| *now != mode).await;
    }
}
