//! A connection for claims, shared by some of the handlers.

use super::lease::ActiveLease;
use crate::store::{Connection, Database, Role, StoreError};
use crate::throttle::Backoff;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, MutexGuard};

/// How long to wait before the next attempt to use the database, and the longest pause between
/// claims that fail.
pub(super) const RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Shared by the claimers of some handlers.
#[derive(Clone, Default)]
pub(super) struct ClaimConnection(Arc<Mutex<Shared>>);

struct Shared {
    connection: Option<Connection>,
    backoff: Backoff,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            connection: None,
            backoff: Backoff::new(RETRY, LONGEST_RETRY),
        }
    }
}

/// A connection that is lent for one claim. Unless the claim succeeds, the connection is dropped.
pub(super) struct Lent<'a> {
    shared: MutexGuard<'a, Shared>,
}

impl ClaimConnection {
    /// Waits until no other handler claims. The error is the rest of the pause after a failed
    /// claim, which holds for all handlers of this connection. The lock is released before the
    /// wait, so that none of them waits for the lock.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, Duration> {
        let shared = self.0.lock().await;
        let pause = shared.backoff.remaining(Instant::now());
        if pause.is_zero() {
            Ok(Lent { shared })
        } else {
            Err(pause)
        }
    }
}

impl Lent<'_> {
    /// Opens the connection if necessary. `None` if the connection belongs to another run of the
    /// server than the lease: it may not claim under it, and the next claim opens another.
    pub(super) async fn open(
        &mut self,
        database: &Database,
        lease: &ActiveLease,
    ) -> Result<Option<Connection>, StoreError> {
        let connection = match self.shared.connection.take() {
            Some(open) => open,
            None => database.connect(Role::Claim).await?,
        };
        Ok(Some(connection).filter(|open| open.epoch() == Some(lease.epoch)))
    }

    /// Gives back a connection whose claim succeeded.
    pub(super) fn give_back(&mut self, connection: Connection) {
        self.shared.connection = Some(connection);
    }

    /// Records the result of the claim for the pause before the next one.
    pub(super) fn record<T>(&mut self, result: &Result<T, StoreError>) {
        match result {
            Ok(_) => self.shared.backoff.succeeded(),
            Err(_) => self.shared.backoff.failed(Instant::now()),
        }
    }
}
