//! Who counts the answers.

use std::time::Duration;

/// Hears of every answer. Called on the hot path: it counts and returns.
pub trait Observer: Send + Sync + 'static {
    /// One request was answered. `source` is `-` where the request named none that exists, so that it is fit for a
    /// metric's label; so is `verdict`, a bounded set of words.
    fn request(&self, source: &str, status: u16, verdict: &'static str, elapsed: Duration);

    /// A connection was turned away because as many as may be are open.
    fn turned_away(&self) {}
}

/// Nobody counts.
impl Observer for () {
    fn request(&self, _: &str, _: u16, _: &'static str, _: Duration) {}
}
