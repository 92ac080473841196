//! Counters and durations of the process. `/metrics` and the rollups get the same counters under
//! the same names.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

/// The subject of a count, and the counter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    kind: &'static str,
    name: String,
    counter: &'static str,
}

/// The subject of a duration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TimeLabels {
    kind: &'static str,
    name: String,
}

/// The counters for durations of attempts, each with its upper bound in milliseconds.
const DURATIONS: [(u128, &str); 18] = [
    (1, "took_le_1"),
    (2, "took_le_2"),
    (5, "took_le_5"),
    (10, "took_le_10"),
    (20, "took_le_20"),
    (50, "took_le_50"),
    (100, "took_le_100"),
    (200, "took_le_200"),
    (500, "took_le_500"),
    (1_000, "took_le_1000"),
    (2_000, "took_le_2000"),
    (5_000, "took_le_5000"),
    (10_000, "took_le_10000"),
    (20_000, "took_le_20000"),
    (50_000, "took_le_50000"),
    (100_000, "took_le_100000"),
    (1_000_000, "took_le_1000000"),
    (u128::MAX, "took_le_1000000000"),
];

/// Counts to be added to the rollups: subject, counter, number.
pub type Pending = Vec<(String, &'static str, i64)>;

/// All counters and histograms of the process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    counts: Family<Labels, Counter>,
    seconds: Family<TimeLabels, Histogram, fn() -> Histogram>,
    clock_difference: Gauge<f64, AtomicU64>,
    pending: Arc<Mutex<HashMap<Labels, u64>>>,
    registry: Arc<Registry>,
}

fn buckets() -> Histogram {
    // From 0.5 ms to about 16 s.
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        let counts = Family::<Labels, Counter>::default();
        let seconds =
            Family::<TimeLabels, Histogram, fn() -> Histogram>::new_with_constructor(buckets);
        let mut registry = Registry::with_prefix("hookfast");
        registry.register("count", "What was counted, by subject", counts.clone());
        registry.register(
            "seconds",
            "From a request's arrival to its answer, and from an attempt's start to its end",
            seconds.clone(),
        );
        let clock_difference = Gauge::default();
        registry.register_with_unit(
            "clock_difference",
            "How far this machine's clock is ahead of the database's; behind it is negative",
            Unit::Seconds,
            clock_difference.clone(),
        );
        Self {
            counts,
            seconds,
            clock_difference,
            pending: Arc::default(),
            registry: Arc::new(registry),
        }
    }
}

impl Metrics {
    /// Adds to a counter. `kind` and `name` are the subject, for example `source` and `airalo`.
    pub fn count(&self, kind: &'static str, name: &str, counter: &'static str, n: u64) {
        let labels = Labels {
            kind,
            name: name.to_owned(),
            counter,
        };
        self.counts.get_or_create(&labels).inc_by(n);
        *self.pending().entry(labels).or_default() += n;
    }

    /// Records how long something took.
    pub fn took(&self, kind: &'static str, name: &str, duration: Duration) {
        self.seconds
            .get_or_create(&TimeLabels {
                kind,
                name: name.to_owned(),
            })
            .observe(duration.as_secs_f64());
    }

    /// Records how long a handler's attempt took, also for `hookfast.durations`.
    pub fn attempt_took(&self, handler: &str, duration: Duration) {
        self.took("handler", handler, duration);
        // Rounded up, because the bounds are upper bounds.
        let millis = duration.as_micros().div_ceil(1000);
        if let Some((_, counter)) = DURATIONS.iter().find(|(bound, _)| millis <= *bound) {
            let labels = Labels {
                kind: "handler",
                name: handler.to_owned(),
                counter,
            };
            *self.pending().entry(labels).or_default() += 1;
        }
    }

    /// Whether there are counts that have not been taken for the rollups.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending().is_empty()
    }

    /// Records how far this machine's clock is ahead of the database's.
    pub fn clock_difference(&self, seconds: f64) {
        self.clock_difference.set(seconds);
    }

    /// Takes the counts since the last call.
    pub fn take_pending(&self) -> Pending {
        let pending = std::mem::take(&mut *self.pending());
        pending
            .into_iter()
            .map(|(l, n)| {
                (
                    format!("{}:{}", l.kind, l.name),
                    l.counter,
                    n.try_into().unwrap_or(i64::MAX),
                )
            })
            .collect()
    }

    /// The registry that `/metrics` encodes.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.clone()
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, HashMap<Labels, u64>> {
        self.pending
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;
    use std::time::Duration;

    #[test]
    fn what_is_counted_is_shown_and_handed_over_once() {
        let metrics = Metrics::default();
        metrics.count("source", "airalo", "stored", 2);
        metrics.count("source", "airalo", "stored", 1);
        metrics.took("source", "airalo", Duration::from_millis(3));
        metrics.clock_difference(-1.5);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &metrics.registry())
            .expect("a String takes it");
        assert!(
            text.contains(
                r#"hookfast_count_total{kind="source",name="airalo",counter="stored"} 3"#
            ),
            "{text}"
        );
        assert!(
            text.contains("hookfast_clock_difference_seconds -1.5"),
            "{text}"
        );
        assert_eq!(
            metrics.take_pending(),
            vec![("source:airalo".to_owned(), "stored", 3)]
        );
        assert_eq!(metrics.take_pending(), vec![]);
    }

    #[test]
    fn an_attempts_duration_is_counted_by_its_upper_bound() {
        let metrics = Metrics::default();
        for (millis, counter) in [
            (0, "took_le_1"),
            (50, "took_le_50"),
            (51, "took_le_100"),
            (1 << 40, "took_le_1000000000"),
        ] {
            metrics.attempt_took("shop", Duration::from_millis(millis));
            assert_eq!(
                metrics.take_pending(),
                vec![("handler:shop".to_owned(), counter, 1)]
            );
        }
    }
}
