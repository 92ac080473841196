//! Counts on their way into the table `rollups`, from which SQL shows the same numbers as
//! `/metrics`.

use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc, time::Duration};

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

/// What a count is about: the kind of subject, such as `source`, and its name.
type Subject = (&'static str, String);

#[derive(Clone, Default)]
pub(super) struct PendingCounts(Arc<Mutex<HashMap<(Subject, &'static str), u64>>>);

impl PendingCounts {
    pub(super) fn add(&self, kind: &'static str, name: &str, counter: &'static str, n: u64) {
        let key = ((kind, name.to_owned()), counter);
        *self.all().entry(key).or_default() += n;
    }

    /// Adds the duration of an attempt, for `hookfast.durations`.
    pub(super) fn add_duration(&self, handler: &str, duration: Duration) {
        // Rounded up, because the bounds are upper bounds.
        let millis = duration.as_micros().div_ceil(1000);
        if let Some((_, counter)) = DURATIONS.iter().find(|(bound, _)| millis <= *bound) {
            self.add("handler", handler, counter, 1);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    pub(super) fn take(&self) -> Pending {
        let counts = std::mem::take(&mut *self.all());
        counts
            .into_iter()
            .map(|(((kind, name), counter), n)| {
                let n = n.try_into().unwrap_or(i64::MAX);
                (format!("{kind}:{name}"), counter, n)
            })
            .collect()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(Subject, &'static str), u64>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::PendingCounts;
    use std::time::Duration;

    #[test]
    fn an_attempts_duration_is_counted_by_its_upper_bound() {
        let counts = PendingCounts::default();
        for (millis, counter) in [
            (0, "took_le_1"),
            (50, "took_le_50"),
            (51, "took_le_100"),
            (1 << 40, "took_le_1000000000"),
        ] {
            counts.add_duration("shop", Duration::from_millis(millis));
            assert_eq!(counts.take(), vec![("handler:shop".to_owned(), counter, 1)]);
        }
    }
}
