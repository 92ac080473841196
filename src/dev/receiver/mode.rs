//! The mode of the receiver, which can be switched while it runs.

use axum::http::StatusCode;
use tokio::sync::watch;

/// The response to a verified webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Status 200.
    Ok,
    /// This status.
    Fail(StatusCode),
    /// No response until the mode changes, and then status 503.
    Hang,
}

/// The mode switch of a receiver. All clones control the same receiver.
#[derive(Clone, Debug)]
pub struct ModeSwitch(watch::Sender<Mode>);

impl ModeSwitch {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Mode::Ok))
    }

    /// Returns the mode that applies to new requests.
    pub fn get(&self) -> Mode {
        *self.0.borrow()
    }

    /// Sets the mode. Requests that hang in the previous mode get their response.
    pub fn set(&self, mode: Mode) {
        self.0.send_replace(mode);
    }

    /// Switches between working and `failing`, for use with a signal. Returns the new mode.
    pub fn toggle(&self, failing: Mode) -> Mode {
        self.0
            .send_modify(|mode| *mode = if *mode == Mode::Ok { failing } else { Mode::Ok });
        self.get()
    }

    pub(super) async fn changed_from(&self, mode: Mode) {
        // This cannot fail, because this clone of the sender lives through the wait.
        let _ = self.0.subscribe().wait_for(|now| *now != mode).await;
    }
}
