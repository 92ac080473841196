//! Wakes claimers when deliveries may be due: directly within the process, by NOTIFY between
//! processes. Wake-ups are only hints. A claimer that gets none finds its deliveries by polling.

use crate::store::{Channel, Database, Listener, Role, WakeUp};
use crate::throttle::Backoff;
use parking_lot::{Mutex, MutexGuard};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};

/// NOTIFY is sent at most this often.
const DEBOUNCE: Duration = Duration::from_millis(10);

/// How long to wait before the next attempt to use the database.
const RETRY: Duration = Duration::from_secs(1);

/// No delivery is late.
const NEVER: i64 = i64::MAX;

/// Wakes every claimer of this process when deliveries may be due.
#[derive(Clone, Debug)]
pub(crate) struct Wake {
    work: Arc<watch::Sender<()>>,
    late: Arc<Mutex<Vec<Weak<AtomicI64>>>>,
}

/// The receiving side of [`Wake`], one for each claimer.
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
    /// Wakes all claimers of this process.
    pub(crate) fn wake(&self) {
        self.work.send_replace(());
    }

    /// Reports late deliveries: they were committed just now and are due from `due` (microseconds
    /// since 1970) on, which claims may have passed already.
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
        self.late.lock()
    }
}

impl Woken {
    /// Takes the earliest due time that was reported late since the last call.
    pub(super) fn take_late(&self) -> Option<i64> {
        Some(self.late.swap(NEVER, Ordering::AcqRel)).filter(|due| *due != NEVER)
    }
}

/// Wakes the workers of other processes, after the commit and from its own connection. A NOTIFY
/// inside the ingest transaction reduces the number of commits to a quarter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcer(Arc<Notify>);

impl Announcer {
    /// Requests a NOTIFY, to be called after events were committed.
    pub(crate) fn announce(&self) {
        self.0.notify_one();
    }

    /// Sends one NOTIFY for one or several announcements, forever.
    pub(crate) async fn run(self, database: Database) {
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
                    // Announced again on a new connection, because the server ends a connection
                    // that is idle for long.
                    self.announce();
                    break;
                }
                backoff.succeeded();
                tokio::time::sleep(DEBOUNCE).await;
            }
        }
    }
}

/// Wakes this process's claimers whenever another process announces events.
pub(super) async fn listen(database: Database, wake: Wake) {
    loop {
        match Listener::connect(&database, Channel::Wake).await {
            Ok(mut listener) => {
                // Notifications sent before this connection listened were not received, so any
                // delivery may be late.
                wake.late(0);
                while let Ok(wake_up) = listener.next().await {
                    match wake_up {
                        WakeUp::Work => wake.wake(),
                        WakeUp::Late(due) => wake.late(due),
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
    fn every_claimer_gets_the_earliest_late_delivery_once() {
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
