//! Who counts the answers.

use std::time::Duration;

/// Hears of every answer. Called on the hot path: it counts and returns.
pub trait Observer: Send + Sync + 'static {
    /// One request was answered. `source` is `-` where the request named none that exists, so that it is fit for a
    /// metric's label; so is `verdict`, a bounded set of words.
    fn request(&self, source: &str, status: u16, verdict: &'static str, elapsed: Duration);

    /// A request or a connection ended without an answer of ours: it was malformed, too slow with its headers, or
    /// closed for another one. `source` and `reason` are fit for a metric's label as well.
    fn unserved(&self, _source: &str, _reason: &'static str) {}

    /// A request left the quarantine, as an event or as a duplicate of one: the sender was genuine after all.
    fn readmitted(&self, _source: &str, _verdict: &'static str) {}

    /// A verified request has a body that is not a JSON object or array, such as a form.
    fn not_json(&self, _source: &str) {}
}

/// Nobody counts.
impl Observer for () {
    fn request(&self, _: &str, _: u16, _: &'static str, _: Duration) {}
}
