//! Workers: they claim pending deliveries, run the handlers, and settle the outcomes.
//!
//! The `lease_renewer` keeps the lease of this process. Each handler has a `claimer`, which claims
//! as many deliveries as the handler has free slots. The `runner` runs each attempt in its own
//! task. A `settler` commits outcomes in groups. The `rescuer` takes over the deliveries of dead
//! workers. The `sweeper` finds deliveries that rescue and wake-ups have missed.

mod admission;
mod breaker;
mod claim_connection;
mod claim_split;
mod claimer;
mod execution;
mod handler_runtime;
mod handler_status;
mod in_flight;
mod lease;
mod lease_renewer;
mod ordering;
mod panics;
mod reconcile_schedule;
mod rescuer;
mod runner;
mod safety_sweeps;
mod settler;
mod sightings;
mod sweeper;
mod turn;
mod wake;

pub(crate) use handler_runtime::{ExecutionMode, InTransaction};
pub(crate) use wake::{Announcer, Wake};

use crate::domain::{HandlerName, HandlerPolicy};
use crate::store::{Database, HandlerId};
use crate::telemetry::{
    health::{Heartbeats, Readiness},
    metrics::Metrics,
};
use crate::throttle::Backoff;
use admission::AdmissionControl;
use claim_connection::ClaimConnection;
use claimer::Claimer;
use handler_runtime::HandlerRuntime;
use lease_renewer::LeaseRenewer;
use rescuer::Rescuer;
use safety_sweeps::SafetySweeps;
use settler::{PendingSettlement, Settler};
use sightings::Sightings;
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, mpsc},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many settlers commit in parallel.
const SETTLERS: usize = 2;

/// How many connections make claims. The handlers share them.
const CLAIM_CONNECTIONS: usize = 2;

/// The connections of a worker, by purpose. Those of its handlers are not included.
pub(crate) const CONNECTIONS: [(&str, u32); 4] = [
    ("claims", CLAIM_CONNECTIONS as u32),
    ("settlements", SETTLERS as u32),
    ("the lease", 1),
    ("wake-ups received", 1),
];

/// A loop without a heartbeat for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// After the shutdown timeout: how long settling the last outcomes, and then giving back the lease,
/// may take. A database that responds needs milliseconds, and one that does not must not delay the
/// shutdown.
const LAST_SETTLEMENTS: Duration = Duration::from_secs(3);
const LEASE_RETURN: Duration = Duration::from_secs(2);

/// A handler to serve, as the registry and the configuration define it.
pub(crate) struct HandlerSpec {
    pub(crate) id: HandlerId,
    pub(crate) name: HandlerName,
    pub(crate) policy: HandlerPolicy,
    pub(crate) runs: ExecutionMode,
}

/// The parts of a worker that all attempts share.
#[derive(Clone)]
struct Shared {
    /// Cancelled when no attempt may start any more.
    stop: CancellationToken,
    attempts: TaskTracker,
    settle: mpsc::UnboundedSender<PendingSettlement>,
    pool: PgPool,
    wake: Wake,
    metrics: Metrics,
}

pub(crate) struct WorkerSettings {
    pub(crate) database: Database,
    /// For all statements that have no dedicated connection.
    pub(crate) pool: PgPool,
    pub(crate) owner: String,
    pub(crate) handlers: Vec<HandlerSpec>,
    pub(crate) metrics: Metrics,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) readiness: Readiness,
    pub(crate) wake: Wake,
    /// How long running attempts may take to finish after the stop.
    pub(crate) shutdown_timeout: Duration,
}

/// Runs a worker until `stop` is cancelled and all deliveries it holds are settled or released.
///
/// # Errors
/// If the thread of the lease renewer cannot be started.
pub(crate) async fn run(settings: WorkerSettings, stop: CancellationToken) -> std::io::Result<()> {
    let WorkerSettings {
        database,
        pool,
        owner,
        handlers,
        metrics,
        heartbeats,
        readiness,
        wake,
        shutdown_timeout,
    } = settings;
    let ordered = handlers
        .iter()
        .map(|served| (served.id, served.policy.order.is_some()))
        .collect();
    let runtimes: Vec<_> = handlers
        .into_iter()
        .map(|served| Arc::new(HandlerRuntime::new(served, &database, &pool)))
        .collect();
    let renewer_stop = CancellationToken::new();
    let renewer = LeaseRenewer {
        database: database.clone(),
        owner,
        handlers: runtimes.iter().map(|runtime| runtime.id).collect(),
        in_flight: runtimes
            .iter()
            .map(|runtime| runtime.in_flight.clone())
            .collect(),
        heartbeat: heartbeats.register("lease", STUCK),
        readiness,
        stop: renewer_stop.clone(),
    };
    let (leases, lease_ended) = renewer.start()?;
    // The channel has no bound of its own: each outcome holds a permit of its handler's
    // `unsettled`.
    let (settle, outcomes) = mpsc::unbounded_channel();
    let shared = Shared {
        stop: stop.clone(),
        attempts: TaskTracker::new(),
        settle,
        pool: pool.clone(),
        wake: wake.clone(),
        metrics: metrics.clone(),
    };
    panics::keep_messages_out_of_the_log();
    let outcomes = Arc::new(Mutex::new(outcomes));
    let settlers = TaskTracker::new();
    for i in 1..=SETTLERS {
        let settler = Settler {
            queue: outcomes.clone(),
            database: database.clone(),
            pool: pool.clone(),
            wake: wake.clone(),
            metrics: metrics.clone(),
            heartbeat: heartbeats.register(format!("settle {i}"), STUCK),
            backoff: Backoff::new(settler::RETRY.0, settler::RETRY.1),
        };
        settlers.spawn(settler.run());
    }
    let rescuer = Rescuer {
        pool: pool.clone(),
        leases: leases.clone(),
        metrics: metrics.clone(),
        wake: wake.clone(),
        heartbeat: heartbeats.register("rescue", STUCK),
        sightings: Sightings::default(),
    };
    let beside = [
        tokio::spawn(rescuer.run()),
        tokio::spawn(wake::listen(database.clone(), wake.clone())),
        tokio::spawn(sweeper::keys(
            pool.clone(),
            ordered,
            wake.clone(),
            heartbeats.register("sweep keys", STUCK),
        )),
        tokio::spawn(sweeper::outbox(
            pool,
            metrics,
            wake.clone(),
            heartbeats.register("sweep", STUCK),
        )),
    ];
    let connections: Vec<ClaimConnection> = (0..CLAIM_CONNECTIONS)
        .map(|_| ClaimConnection::default())
        .collect();
    let claimers = TaskTracker::new();
    for (i, runtime) in runtimes.into_iter().enumerate() {
        let heartbeat = heartbeats.register(format!("claim {}", runtime.name), STUCK);
        let sweeps = SafetySweeps::new(runtime.clone(), leases.clone(), shared.pool.clone());
        let claimer = Claimer {
            admission: AdmissionControl::new(runtime.policy.rate, runtime.circuit.clone()),
            runtime,
            shared: shared.clone(),
            leases: leases.clone(),
            connection: connections[i % CLAIM_CONNECTIONS].clone(),
            database: database.clone(),
            wake: wake.clone(),
            heartbeat,
            sweeps,
        };
        claimers.spawn(claimer.run());
    }
    stop.cancelled().await;
    let attempts_end = Instant::now() + shutdown_timeout;
    claimers.close();
    claimers.wait().await;

    // Nothing more is claimed. Running attempts may finish. Attempts that have not started release
    // their deliveries.
    shared.attempts.close();
    let attempts = shared.attempts.clone();
    if tokio::time::timeout_at(attempts_end, attempts.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            attempts = attempts.len(),
            "attempts did not end within the shutdown timeout and were aborted; their deliveries will be retried"
        );
    }
    drop(shared);
    settlers.close();
    // The settlers end when the last attempt has handed over its outcome. Other workers rescue the
    // deliveries of aborted attempts.
    let _ = tokio::time::timeout_at(attempts_end + LAST_SETTLEMENTS, settlers.wait()).await;
    beside.iter().for_each(tokio::task::JoinHandle::abort);
    renewer_stop.cancel();
    // If the lease cannot be given back, it expires.
    let _ = tokio::time::timeout(LEASE_RETURN, lease_ended).await;
    Ok(())
}
