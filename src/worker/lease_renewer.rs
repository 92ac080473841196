//! Registers and renews the lease of this process, on its own thread and connection, so that no
//! handler can block it.

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

/// The shortest and the longest pause after a failed renewal. Several retries fit into the duration
/// of a lease.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));

/// The readiness condition of a worker: it has a lease.
pub(super) const CONDITION: &str = "worker";

/// The current lease, if there is one.
pub(super) type ActiveLeases = watch::Receiver<Option<Arc<ActiveLease>>>;

pub(super) struct LeaseRenewer {
    pub(super) database: Database,
    pub(super) owner: String,
    pub(super) handlers: Vec<HandlerId>,
    /// The deliveries held for each of the handlers.
    pub(super) in_flight: Vec<InFlight>,
    pub(super) heartbeat: Heartbeat,
    pub(super) readiness: Readiness,
    /// Cancelled after the last delivery is settled or released.
    pub(super) stop: CancellationToken,
}

impl LeaseRenewer {
    /// Starts the thread. When `stop` is cancelled, it gives back the lease and ends; then the
    /// returned receiver resolves.
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
                Err("this worker's lease cannot be renewed; no new attempt is started".to_owned()),
            );
            throttled!(warn, %error, "lease renewal failed, retrying; no attempt is started once the lease may have expired");
            backoff.failed(Instant::now());
            let _ = self.stop.run_until_cancelled(backoff.wait()).await;
        }
        end(publish);
    }

    /// Renews the lease until `stop` is cancelled (`Ok`) or the connection breaks. `crashed` is the
    /// lease that a crash of the server ended, until there is a new one.
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
                            "this worker's lease no longer exists: other workers have rescued its deliveries"
                        );
                        end(publish);
                        continue;
                    }
                }
                Some(lease) => {
                    // The server crashed. Earlier claims may be undone, and their fences may be
                    // issued again.
                    tracing::warn!(
                        lease = lease.id.0,
                        "the database crashed: this worker drops its claims and registers a new lease"
                    );
                    end(publish);
                    *crashed = Some(lease.clone());
                    connection.abandon_lease(lease.id).await?;
                    continue;
                }
                None => {
                    let lease = connection
                        .register_lease(&self.owner, &self.handlers, LEASE)
                        .await?;
                    tracing::info!(lease = lease.0, owner = self.owner, "lease registered");
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

    /// Deletes the lease without a search for its deliveries if it certainly has none: with a large
    /// backlog that search takes a while.
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
