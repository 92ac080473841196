//! Wake-ups: in the process at once, between processes by NOTIFY. Hints only: polling is the truth.

use crate::store::{Database, Listener, Role};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};

/// NOTIFY is sent at most this often.
const DEBOUNCE: Duration = Duration::from_millis(10);

/// How long to wait before the database is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Tells every claimer of this process that there may be work.
#[derive(Clone, Debug)]
pub struct Wake(Arc<watch::Sender<()>>);

impl Default for Wake {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl Wake {
    /// There may be work.
    pub fn wake(&self) {
        self.0.send_replace(());
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.0.subscribe()
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
        loop {
            let mut connection = match database.connect(Role::General).await {
                Ok(connection) => connection,
                Err(_) => {
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            };
            loop {
                self.0.notified().await;
                if connection.notify().await.is_err() {
                    break;
                }
                tokio::time::sleep(DEBOUNCE).await;
            }
        }
    }
}

/// Wakes this process's claimers whenever another process announces.
pub(super) async fn listen(database: Database, wake: Wake) {
    loop {
        match Listener::connect(&database).await {
            Ok(mut listener) => {
                // What came before we listened was not heard.
                wake.wake();
                while listener.heard().await.is_ok() {
                    wake.wake();
                }
            }
            Err(error) => tracing::debug!(%error, "not listening for wake-ups: deliveries are found by polling"),
        }
        tokio::time::sleep(RETRY).await;
    }
}
