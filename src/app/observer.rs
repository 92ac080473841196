//! Counts the responses of the ingress, and quarantined requests that were accepted later.

use crate::ingress::Observer;
use crate::telemetry::metrics::Metrics;
use std::time::Duration;

pub(super) struct Counting(pub(super) Metrics);

impl Observer for Counting {
    fn request(&self, source: &str, status: u16, verdict: &'static str, elapsed: Duration) {
        self.0.webhook(source, status, verdict, elapsed);
    }

    fn unserved(&self, source: &str, reason: &'static str) {
        self.0.unserved(source, reason);
    }

    fn reverified(&self, source: &str, verdict: &'static str) {
        self.0.accepted_later(source, verdict);
    }

    fn not_json(&self, source: &str) {
        self.0.not_json(source);
    }
}
