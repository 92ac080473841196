//! The interface by which the ingress reports its responses to metrics.

use std::time::Duration;

/// Is called for every response. The calls are on the hot path, so an implementation should only
/// count.
pub trait Observer: Send + Sync + 'static {
    /// Reports the response to one request. `source` is `-` if the request refers to no source that
    /// exists. `source` and `verdict` are from bounded sets, so both can be labels of a metric.
    fn request(&self, source: &str, status: u16, verdict: &'static str, elapsed: Duration);

    /// Reports that a request or a connection ended without a response from the routes: it was
    /// malformed, too slow with its headers, or closed in favour of another one. `source` and
    /// `reason` can be labels of a metric.
    fn unserved(&self, _source: &str, _reason: &'static str) {}

    /// Reports that a request left the quarantine as an event or as a duplicate of one.
    fn reverified(&self, _source: &str, _verdict: &'static str) {}

    /// Reports a verified request whose body is not a JSON object or array, but for example a form.
    fn not_json(&self, _source: &str) {}
}

/// Ignores everything.
impl Observer for () {
    fn request(&self, _: &str, _: u16, _: &'static str, _: Duration) {}
}
