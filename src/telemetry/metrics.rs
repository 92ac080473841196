//! The metrics of the process. Each family is one quantity, and its sum over all labels means
//! something. docs/METRICS.md lists them.

pub use super::pending_counts::Pending;

use super::pending_counts::PendingCounts;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric},
    metrics::{
        TypedMetric,
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::{
    fmt::Debug,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    source: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectionLabels {
    source: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandlerLabels {
    handler: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    handler: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BreakerLabels {
    handler: String,
    change: &'static str,
}

/// A histogram for each label set, with bounds from 0.5 ms to about 16 s.
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

/// All metrics of the process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    webhooks: Family<WebhookLabels, Counter>,
    accepted_later: Family<WebhookLabels, Counter>,
    rejections: Family<RejectionLabels, Counter>,
    turned_away: Family<ReasonLabels, Counter>,
    ack_duration: Durations<SourceLabels>,
    non_json_bodies: Family<SourceLabels, Counter>,
    evidence_dropped: Family<SourceLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    attempt_duration: Durations<HandlerLabels>,
    stale_outcomes: Family<HandlerLabels, Counter>,
    breaker_changes: Family<BreakerLabels, Counter>,
    rescued_deliveries: Counter,
    clock_difference: Gauge<f64, AtomicU64>,
    pending: PendingCounts,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Families(Registry::with_prefix("hookfast"));
        let new_durations = || Durations::new_with_constructor(durations as fn() -> Histogram);
        Self {
            webhooks: all.add(
                "webhooks",
                "Requests of senders, by their result",
                Family::default(),
            ),
            accepted_later: all.add(
                "accepted_later",
                "Quarantined requests that became events, or duplicates of events",
                Family::default(),
            ),
            rejections: all.add(
                "rejections",
                "Requests that were rejected because of what the sender sent, by reason",
                Family::default(),
            ),
            turned_away: all.add(
                "turned_away",
                "Requests that got 503, by reason",
                Family::default(),
            ),
            ack_duration: all.add_seconds(
                "ack_duration",
                "From a request's first byte to its response",
                Durations::new_with_constructor(durations),
            ),
            non_json_bodies: all.add(
                "non_json_bodies",
                "Verified webhooks whose body is not JSON",
                Family::default(),
            ),
            evidence_dropped: all.add(
                "evidence_dropped",
                "Rejected requests that the quarantine had no room for",
                Family::default(),
            ),
            attempts: all.add(
                "attempts",
                "Attempts at deliveries, by outcome",
                Family::default(),
            ),
            attempt_duration: all.add_seconds(
                "attempt_duration",
                "From an attempt's start to its outcome",
                new_durations(),
            ),
            stale_outcomes: all.add(
                "stale_outcomes",
                "Outcomes that were discarded because another worker had rescued the delivery",
                Family::default(),
            ),
            breaker_changes: all.add(
                "breaker_changes",
                "Changes of circuit breakers",
                Family::default(),
            ),
            rescued_deliveries: all.add(
                "rescued_deliveries",
                "Deliveries rescued from dead workers",
                Counter::default(),
            ),
            clock_difference: all.add_seconds(
                "clock_difference",
                "How far this machine's clock is ahead of the database's; negative if it is behind",
                Gauge::default(),
            ),
            pending: PendingCounts::default(),
            registry: Arc::new(all.0),
        }
    }
}

/// The registry while the families are made.
struct Families(Registry);

impl Families {
    fn add<M>(&mut self, name: &str, help: &str, family: M) -> M
    where
        M: EncodeMetric + TypedMetric + Clone + Debug + Send + Sync + 'static,
    {
        self.0.register(name, help, family.clone());
        family
    }

    fn add_seconds<M>(&mut self, name: &str, help: &str, family: M) -> M
    where
        M: EncodeMetric + TypedMetric + Clone + Debug + Send + Sync + 'static,
    {
        self.0
            .register_with_unit(name, help, Unit::Seconds, family.clone());
        family
    }
}

impl Metrics {
    /// Counts a request that got a response. `verdict` is `stored`, `duplicate` and so on, or the
    /// reason for a response that is not 200.
    pub fn webhook(&self, source: &str, status: u16, verdict: &'static str, took: Duration) {
        let result = match status {
            200..=299 => verdict,
            500.. => "turned_away",
            _ => "rejected",
        };
        match result {
            "turned_away" => self.turned_away(verdict),
            "rejected" => self.rejection(source, verdict),
            _ => {}
        }
        self.count_webhook(source, result);
        self.pending.add("source", source, verdict, 1);
        let labels = SourceLabels {
            source: source.to_owned(),
        };
        self.ack_duration
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// Counts a request or connection that ended without a response of the ingress.
    pub fn unserved(&self, source: &str, reason: &'static str) {
        match reason {
            // An idle connection was closed for another one: this is not a request.
            "idle_evicted" => {}
            "no_connection" | "evicted" => {
                self.count_webhook(source, "turned_away");
                self.turned_away(reason);
            }
            _ => {
                self.count_webhook(source, "rejected");
                self.rejection(source, reason);
            }
        }
        self.pending.add("source", source, reason, 1);
    }

    /// Counts a quarantined request that became an event, or the duplicate of one.
    pub fn accepted_later(&self, source: &str, verdict: &'static str) {
        let labels = WebhookLabels {
            source: source.to_owned(),
            result: verdict,
        };
        self.accepted_later.get_or_create(&labels).inc();
        self.pending.add("source", source, verdict, 1);
    }

    /// Counts a request that is quarantined for this reason.
    pub fn quarantined(&self, source: &str, reason: &'static str) {
        self.rejection(source, reason);
        self.pending.add("source", source, reason, 1);
    }

    /// Counts a request with a wrong signature that the full quarantine cannot keep. The request is
    /// also counted with its response.
    pub fn quarantine_full(&self, source: &str) {
        self.pending.add("source", source, "quarantine_full", 1);
    }

    /// Counts a request with a wrong signature for which the quarantine is too slow. The request is
    /// also counted with its response.
    pub fn quarantine_busy(&self, source: &str) {
        self.pending.add("source", source, "quarantine_busy", 1);
    }

    /// Counts a rejected request that is not kept as evidence.
    pub fn evidence_dropped(&self, source: &str) {
        let labels = SourceLabels {
            source: source.to_owned(),
        };
        self.evidence_dropped.get_or_create(&labels).inc();
        self.pending.add("source", source, "evidence_dropped", 1);
    }

    /// Counts a verified webhook whose body is not JSON.
    pub fn not_json(&self, source: &str) {
        let labels = SourceLabels {
            source: source.to_owned(),
        };
        self.non_json_bodies.get_or_create(&labels).inc();
        self.pending.add("source", source, "not_json", 1);
    }

    /// Counts an attempt with its outcome: `delivered`, `retry`, `dead` and so on.
    pub fn attempt(&self, handler: &str, outcome: &'static str) {
        let labels = AttemptLabels {
            handler: handler.to_owned(),
            outcome,
        };
        self.attempts.get_or_create(&labels).inc();
        self.pending.add("handler", handler, outcome, 1);
    }

    /// Records how long an attempt took.
    pub fn attempt_took(&self, handler: &str, took: Duration) {
        let labels = HandlerLabels {
            handler: handler.to_owned(),
        };
        self.attempt_duration
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        self.pending.add_duration(handler, took);
    }

    /// Counts an outcome that was discarded because another worker had taken over.
    pub fn stale_outcome(&self, handler: &str) {
        let labels = HandlerLabels {
            handler: handler.to_owned(),
        };
        self.stale_outcomes.get_or_create(&labels).inc();
        self.pending.add("handler", handler, "stale", 1);
    }

    /// Counts a change of a handler's circuit breaker.
    pub fn breaker_changed(&self, handler: &str, change: BreakerChange) {
        let (change, counter) = match change {
            BreakerChange::Opened => ("opened", "breaker_opened"),
            BreakerChange::ProbeFailed => ("probe_failed", "breaker_probes_failed"),
            BreakerChange::Closed => ("closed", "breaker_closed"),
        };
        let labels = BreakerLabels {
            handler: handler.to_owned(),
            change,
        };
        self.breaker_changes.get_or_create(&labels).inc();
        self.pending.add("handler", handler, counter, 1);
    }

    /// Counts deliveries that were taken over from dead workers.
    pub fn rescued(&self, deliveries: u64) {
        self.rescued_deliveries.inc_by(deliveries);
        self.pending.add("worker", "rescue", "lost", deliveries);
    }

    /// Records how far this machine's clock is ahead of the database's.
    pub fn clock_difference(&self, seconds: f64) {
        self.clock_difference.set(seconds);
    }

    /// Whether there are counts that have not been taken for the rollups.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes the counts since the last call, for the rollups.
    pub fn take_pending(&self) -> Pending {
        self.pending.take()
    }

    /// The registry that `/metrics` encodes.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.clone()
    }

    fn count_webhook(&self, source: &str, result: &'static str) {
        let labels = WebhookLabels {
            source: source.to_owned(),
            result,
        };
        self.webhooks.get_or_create(&labels).inc();
    }

    fn rejection(&self, source: &str, reason: &'static str) {
        let labels = RejectionLabels {
            source: source.to_owned(),
            reason,
        };
        self.rejections.get_or_create(&labels).inc();
    }

    fn turned_away(&self, reason: &'static str) {
        self.turned_away
            .get_or_create(&ReasonLabels { reason })
            .inc();
    }
}

/// A change of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerChange {
    /// It opened: the handler is unavailable.
    Opened,
    /// The delivery that was tried during the pause failed too.
    ProbeFailed,
    /// It closed: the handler is available again.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::{BreakerChange, Metrics};
    use std::time::Duration;

    fn encoded(metrics: &Metrics) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &metrics.registry())
            .expect("a String takes it");
        text
    }

    #[test]
    fn counts_are_exported_and_drained_once_for_the_rollups() {
        let metrics = Metrics::default();
        for (status, verdict) in [
            (200, "stored"),
            (200, "stored"),
            (401, "wrong_signature"),
            (503, "busy"),
        ] {
            metrics.webhook("airalo", status, verdict, Duration::from_millis(3));
        }
        metrics.clock_difference(-1.5);
        let text = encoded(&metrics);
        for line in [
            r#"hookfast_webhooks_total{source="airalo",result="stored"} 2"#,
            r#"hookfast_webhooks_total{source="airalo",result="rejected"} 1"#,
            r#"hookfast_webhooks_total{source="airalo",result="turned_away"} 1"#,
            r#"hookfast_rejections_total{source="airalo",reason="wrong_signature"} 1"#,
            r#"hookfast_turned_away_total{reason="busy"} 1"#,
            r#"hookfast_ack_duration_seconds_count{source="airalo"} 4"#,
            "hookfast_clock_difference_seconds -1.5",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let mut pending = metrics.take_pending();
        pending.sort();
        let source = || "source:airalo".to_owned();
        assert_eq!(
            pending,
            [
                (source(), "busy", 1),
                (source(), "stored", 2),
                (source(), "wrong_signature", 1)
            ]
        );
        assert_eq!(metrics.take_pending(), vec![]);
    }

    #[test]
    fn every_family_is_in_the_document() {
        let metrics = Metrics::default();
        let document = include_str!("../../docs/METRICS.md");
        // A family is exported when it has a first value.
        metrics.webhook("airalo", 401, "wrong_signature", Duration::ZERO);
        metrics.webhook("airalo", 503, "busy", Duration::ZERO);
        metrics.accepted_later("airalo", "stored");
        metrics.evidence_dropped("airalo");
        metrics.not_json("airalo");
        metrics.attempt("shop", "delivered");
        metrics.attempt_took("shop", Duration::ZERO);
        metrics.stale_outcome("shop");
        metrics.breaker_changed("shop", BreakerChange::Opened);
        let text = encoded(&metrics);
        let families: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .filter_map(|line| line.split_once(' '))
            .collect();
        assert_eq!(families.len(), 13, "{text}");
        for (name, kind) in &families {
            let name = match *kind {
                "counter" => format!("{name}_total"),
                _ => (*name).to_owned(),
            };
            assert!(document.contains(&format!("| `{name}` |")), "{name}");
        }
        let rows = document
            .lines()
            .filter(|line| line.starts_with("| `hookfast_"));
        assert_eq!(rows.count(), families.len(), "a row for each family");
    }
}
