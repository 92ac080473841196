//! The ingress's answers, and requests that were accepted later, counted.

use crate::ingress::Observer;
use crate::telemetry::metrics::Metrics;
use std::time::Duration;

pub(super) struct Counting(pub(super) Metrics);

impl Observer for Counting {
    fn request(&self, source: &str, _status: u16, verdict: &'static str, elapsed: Duration) {
        self.0.count("source", source, verdict, 1);
        self.0.took("source", source, elapsed);
    }

    fn unserved(&self, source: &str, reason: &'static str) {
        self.0.count("source", source, reason, 1);
    }

    fn readmitted(&self, source: &str, verdict: &'static str) {
        self.0.count("source", source, verdict, 1);
    }

    fn not_json(&self, source: &str) {
        self.0.count("source", source, "not_json", 1);
    }
}
