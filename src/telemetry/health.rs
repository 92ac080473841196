//! Liveness and readiness of this process: loops that tick, and conditions that are met.
//!
//! It imports nothing else of Hookfast, so that every part can report here and the admin server can
//! read it.
//!
//! ```
//! use hookfast::internals::telemetry::health::{Heartbeats, Readiness};
//! use std::time::{Duration, Instant};
//!
//! let (heartbeats, readiness) = (Heartbeats::default(), Readiness::default());
//! let heartbeat = heartbeats.register("claim", Duration::from_secs(30));
//! heartbeat.tick(); // once a round of the loop, even if there was nothing to do
//! assert!(heartbeats.stuck(Instant::now()).is_empty());
//!
//! readiness.set("database", Err("the database cannot be reached".to_owned()));
//! assert_eq!(readiness.unmet().len(), 1);
//! readiness.set("database", Ok(()));
//! assert!(readiness.unmet().is_empty());
//! ```

use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// The loops of this process that must tick.
#[derive(Clone, Debug, Default)]
pub struct Heartbeats(Arc<Mutex<Vec<Arc<Loop>>>>);

#[derive(Debug)]
struct Loop {
    name: String,
    max_age: Duration,
    last: Mutex<Instant>,
}

/// A loop that has not ticked within its maximum age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The name under which the loop was registered.
    pub name: String,
    /// The time since its last tick.
    pub silent: Duration,
}

/// The handle by which a loop ticks. If it is just dropped (the loop panicked or returned), the
/// loop counts as stuck after its maximum age. A loop that ends on purpose calls
/// [`Heartbeat::retire`].
#[derive(Debug)]
pub struct Heartbeat {
    of: Arc<Loop>,
    all: Heartbeats,
}

impl Heartbeats {
    /// Registers a loop that ticks at least every `max_age`. This counts as its first tick.
    pub fn register(&self, name: impl Into<String>, max_age: Duration) -> Heartbeat {
        let of = Arc::new(Loop {
            name: name.into(),
            max_age,
            last: Mutex::new(Instant::now()),
        });
        lock(&self.0).push(Arc::clone(&of));
        Heartbeat {
            of,
            all: self.clone(),
        }
    }

    /// The number of registered loops.
    pub fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// The loops that have not ticked in time, as of `now`.
    pub fn stuck(&self, now: Instant) -> Vec<Stuck> {
        let silent = |of: &Arc<Loop>| now.saturating_duration_since(*lock(&of.last));
        let loops = lock(&self.0);
        let stuck = loops.iter().filter(|of| silent(of) > of.max_age);
        stuck
            .map(|of| Stuck {
                name: of.name.clone(),
                silent: silent(of),
            })
            .collect()
    }
}

impl Heartbeat {
    /// Records that the loop has made a round.
    pub fn tick(&self) {
        *lock(&self.of.last) = Instant::now();
    }

    /// Removes the loop, which has ended on purpose.
    pub fn retire(self) {
        lock(&self.all.0).retain(|other| !Arc::ptr_eq(other, &self.of));
    }
}

/// The conditions under which this process can do its work.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<String, Result<(), String>>>>);

impl Readiness {
    /// Sets whether a condition is met, or why it is not. The reason is shown to every reader of
    /// the admin server, so it must contain no secrets.
    ///
    /// A condition that must be met before the process is ready is set to an `Err` at start. A
    /// condition that was never set does not count.
    pub fn set(&self, name: &str, holds: Result<(), String>) {
        lock(&self.0).insert(name.to_owned(), holds);
    }

    /// The conditions that are not met, each with its reason, sorted by name.
    pub fn unmet(&self) -> Vec<(String, String)> {
        let conditions = lock(&self.0);
        conditions
            .iter()
            .filter_map(|(name, holds)| Some((name.clone(), holds.clone().err()?)))
            .collect()
    }
}

/// A poisoned lock is used nevertheless: a panic while it was held leaves no partial change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_stuck_after_its_time_and_no_more_once_it_ticks() {
        let heartbeats = Heartbeats::default();
        let (fast, _slow) = (
            heartbeats.register("fast", Duration::from_secs(1)),
            heartbeats.register("slow", Duration::from_secs(60)),
        );
        let later = Instant::now() + Duration::from_secs(2);
        assert!(heartbeats.stuck(Instant::now()).is_empty());
        let stuck = heartbeats.stuck(later);
        assert_eq!(stuck.len(), 1);
        assert!(
            stuck[0].name == "fast" && stuck[0].silent > Duration::from_secs(1),
            "{stuck:?}"
        );
        fast.tick();
        assert!(
            heartbeats
                .stuck(Instant::now() + Duration::from_millis(900))
                .is_empty()
        );
    }

    #[test]
    fn a_dropped_heartbeat_is_missed_and_a_retired_one_is_not() {
        let heartbeats = Heartbeats::default();
        drop(heartbeats.register("crashed", Duration::ZERO));
        heartbeats.register("finished", Duration::ZERO).retire();
        let stuck = heartbeats.stuck(Instant::now() + Duration::from_secs(1));
        assert_eq!(
            stuck.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["crashed"]
        );
        assert_eq!(heartbeats.count(), 1);
    }
}
