//! Wake-ups: in the process at once, between processes by NOTIFY. Hints only: polling is the truth.

use crate::store::{Channel, Database, Heard, Listener, Role};
use crate::throttle::Backoff;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};

/// NOTIFY is sent at most this often.
const DEBOUNCE: Duration = Duration::from_millis(10);

/// How long to wait before the database is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Nothing came late.
const NEVER: i64 = i64::MAX;

/// Tells every claimer of this process that there may be work.
#[derive(Clone, Debug)]
pub struct Wake {
    work: Arc<watch::Sender<()>>,
    late: Arc<Mutex<Vec<Weak<AtomicI64>>>>,
}

/// A claimer's end of it.
#[derive(Debug)]
pub(super) struct Woken {
    pub(super) work: watch::Receiver<()>,
    late: Arc<AtomicI64>,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            work: Arc::new(watch::Sender::new(())),
            late: Arc::default(),
        }
    }
}

impl Wake {
    /// There may be work.
    pub fn wake(&self) {
        self.work.send_replace(());
    }

    /// Deliveries came late: they were due at this time (microseconds since 1970) or after it.
    pub(super) fn late(&self, due: i64) {
        self.claimers().retain(|claimer| {
            claimer.upgrade().is_some_and(|claimer| {
                claimer.fetch_min(due, Ordering::AcqRel);
                true
            })
        });
        self.wake();
    }

    pub(super) fn subscribe(&self) -> Woken {
        let late = Arc::new(AtomicI64::new(NEVER));
        self.claimers().push(Arc::downgrade(&late));
        Woken {
            work: self.work.subscribe(),
            late,
        }
    }

    fn claimers(&self) -> MutexGuard<'_, Vec<Weak<AtomicI64>>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Woken {
    /// The earliest due time of what came late since the last call.
    pub(super) fn take_late(&self) -> Option<i64> {
        Some(self.late.swap(NEVER, Ordering::AcqRel)).filter(|due| *due != NEVER)
    }
}

/// Tells the workers of other processes, after the commit and from a connection of its own: inside the ingest
/// transaction a NOTIFY cuts commits to a quarter.
#[derive(Clone, Debug, Default)]
pub struct Announcer(Arc<Notify>);

impl Announcer {
    /// Events were committed.
    pub fn announce(&self) {
        self.0.notify_one();
    }

    /// Sends a NOTIFY after each announcement, or one for many.
    pub async fn run(self, database: Database) {
        let mut backoff = Backoff::new(DEBOUNCE, RETRY);
        loop {
            backoff.wait().await;
            backoff.failed(Instant::now());
            let Ok(mut connection) = database.connect(Role::General).await else {
                continue;
            };
            loop {
                self.0.notified().await;
                if connection.notify().await.is_err() {
                    // It is announced again, on a new connection: the server ends one that is idle for long.
                    self.announce();
                    break;
                }
                backoff.succeeded();
                tokio::time::sleep(DEBOUNCE).await;
            }
        }
    }
}

/// Wakes this process's claimers whenever another process announces.
pub(super) async fn listen(database: Database, wake: Wake) {
    loop {
        match Listener::connect(&database, Channel::Wake).await {
            Ok(mut listener) => {
                // What came before we listened was not heard: everything may have come late.
                wake.late(0);
                while let Ok(heard) = listener.heard().await {
                    match heard {
                        Heard::Work => wake.wake(),
                        Heard::Late(due) => wake.late(due),
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, "not listening for wake-ups: deliveries are found by polling")
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::Wake;

    #[test]
    fn every_claimer_hears_the_earliest_of_what_came_late_once() {
        let wake = Wake::default();
        let (one, two) = (wake.subscribe(), wake.subscribe());
        wake.late(7);
        wake.late(5);
        assert_eq!((one.take_late(), one.take_late()), (Some(5), None));
        wake.late(9);
        assert_eq!((one.take_late(), two.take_late()), (Some(9), Some(5)));
        drop(one);
        wake.late(1);
        assert_eq!(wake.claimers().len(), 1);
    }
}
