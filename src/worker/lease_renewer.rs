//! Keeps this process's lease, on a thread and a connection of its own, where no handler can block it.

use super::{
    in_flight::InFlight,
    lease::{ActiveLease, LEASE, RENEW_EVERY},
};
use crate::boot_time::BootTime;
use crate::store::{Connection, Database, HandlerId, Role, StoreError};
use crate::telemetry::health::{Heartbeat, Readiness};
use crate::throttle::{Backoff, throttled};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Pauses before a lease that could not be renewed is tried again: several times within what it lasts.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));

/// The condition that this worker may hold deliveries.
pub(super) const CONDITION: &str = "worker";

/// What the keeper publishes: the lease of now, or none.
pub(super) type ActiveLeases = watch::Receiver<Option<Arc<ActiveLease>>>;

pub(super) struct LeaseRenewer {
    pub(super) database: Database,
    pub(super) holder: String,
    pub(super) handlers: Vec<HandlerId>,
    /// What is held for each of them.
    pub(super) in_flight: Vec<InFlight>,
    pub(super) heartbeat: Heartbeat,
    pub(super) readiness: Readiness,
    /// Cancelled after the last delivery is settled or released.
    pub(super) stop: CancellationToken,
}

impl LeaseRenewer {
    /// Starts the thread; it ends when `stop` is cancelled, and gives the lease back. The receiver resolves at its end.
    pub(super) fn start(self) -> std::io::Result<(ActiveLeases, oneshot::Receiver<()>)> {
        self.readiness
            .set(CONDITION, Err("this worker has no lease yet".to_owned()));
        let (publish, leases) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (dropped_at_the_end, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("lease".into())
            .spawn(move || {
                let _dropped_at_the_end = dropped_at_the_end;
                runtime.block_on(self.run(&publish));
            })?;
        Ok((leases, ended))
    }

    async fn run(self, publish: &watch::Sender<Option<Arc<ActiveLease>>>) {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut crashed = None;
        while !self.stop.is_cancelled() {
            let connected = tokio::select! {
                connected = self.database.connect(Role::Lease) => connected,
                () = self.stop.cancelled() => break,
            };
            let kept = match connected {
                Ok(connection) => {
                    self.keep(connection, publish, &mut crashed, &mut backoff)
                        .await
                }
                Err(error) => Err(error),
            };
            let Err(error) = kept else { break };
            self.heartbeat.tick();
            self.readiness.set(
                CONDITION,
                Err("this worker's lease cannot be renewed; nothing new is started".to_owned()),
            );
            throttled!(warn, %error, "lease renewal failed, retrying; no attempt is started once the lease may have expired");
            backoff.failed(Instant::now());
            let _ = self.stop.run_until_cancelled(backoff.wait()).await;
        }
        end(publish);
    }

    /// Renews until told to stop (`Ok`), or until the connection breaks. `crashed` is the lease that a crash of the server
    /// ended, until there is another.
    async fn keep(
        &self,
        mut connection: Connection,
        publish: &watch::Sender<Option<Arc<ActiveLease>>>,
        crashed: &mut Option<Arc<ActiveLease>>,
        backoff: &mut Backoff,
    ) -> Result<(), StoreError> {
        let epoch = connection.epoch().unwrap_or_default();
        loop {
            let held = publish.borrow().clone();
            let sent = BootTime::now();
            match held {
                Some(lease) if lease.epoch == epoch => {
                    if connection.renew_lease(lease.id, LEASE).await? {
                        lease.renewed(sent);
                    } else {
                        tracing::warn!(
                            lease = lease.id.0,
                            "this worker's lease is gone: others have taken over what it held"
                        );
                        end(publish);
                        continue;
                    }
                }
                Some(lease) => {
                    // The server crashed. What was claimed before may be unclaimed again, under the same numbers.
                    tracing::warn!(
                        lease = lease.id.0,
                        "the database crashed: this worker drops its claims and begins anew"
                    );
                    end(publish);
                    *crashed = Some(lease.clone());
                    connection.abandon_lease(lease.id).await?;
                    continue;
                }
                None => {
                    let lease = connection
                        .register_lease(&self.holder, &self.handlers, LEASE)
                        .await?;
                    tracing::info!(lease = lease.0, holder = self.holder, "lease registered");
                    let lease = match crashed.take() {
                        Some(before) => ActiveLease::after_crash(&before, lease, epoch, sent),
                        None => ActiveLease::new(lease, epoch, sent),
                    };
                    publish.send_replace(Some(Arc::new(lease)));
                }
            }
            backoff.succeeded();
            self.heartbeat.tick();
            self.readiness.set(CONDITION, Ok(()));
            tokio::select! {
                () = tokio::time::sleep(RENEW_EVERY) => {}
                () = self.stop.cancelled() => {
                    let held = publish.borrow().clone();
                    end(publish);
                    if let Some(lease) = held {
                        self.give_back(&mut connection, &lease).await?;
                    }
                    connection.close().await;
                    return Ok(());
                }
            }
        }
    }

    /// Looking for what is held takes a while where a backlog waits.
    async fn give_back(
        &self,
        connection: &mut Connection,
        lease: &ActiveLease,
    ) -> Result<(), StoreError> {
        if self.in_flight.iter().all(InFlight::certainly_empty) {
            connection.delete_lease(lease.id).await
        } else {
            connection.abandon_lease(lease.id).await.map(drop)
        }
    }
}

fn end(publish: &watch::Sender<Option<Arc<ActiveLease>>>) {
    if let Some(lease) = publish.send_replace(None) {
        lease.lost.cancel();
    }
}
