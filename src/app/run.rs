//! Runs Hookfast: the order in which its parts start and stop.

use super::{
    Builder,
    builder::Execution,
    functions,
    observer::Counting,
    open::{Opened, Registration, open, problems},
    reload::Reloader,
};
use crate::airalo::Reconciler;
use crate::domain::HandlerName;
use crate::ingress::{
    GroupCommit, INTAKE, Ingress, NOT_CONNECTED, Quarantine, QuarantineWriter, Reverifier, Sources,
    WriterContext, Writers, group_commit, quarantine,
};
use crate::maintenance::{DATABASE, Maintenance};
use crate::store::{
    Database, FilterError, HandlerRegistration, MigrateError, Process, ResolveError, ServedHandler,
    SourceRegistration, StoreError,
};
use crate::telemetry::{
    admin::Admin,
    health::{Heartbeats, Readiness},
    metrics::Metrics,
};
use crate::worker::{
    self, Announcer, ExecutionMode, HandlerSpec, InTransaction, Wake, WorkerSettings,
};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

/// The number of writers. One commits at a time; if its commit is slow, the next one starts.
pub(super) const WRITERS: usize = 2;

/// How long the last commits may take after the shutdown timeout, and the least time that each part
/// has to end.
const LAST_COMMITS: Duration = Duration::from_secs(5);
const LEAST: Duration = Duration::from_secs(1);

/// Why an [`App`] could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The schema does not fit this program, or migrations could not be applied.
    #[error(transparent)]
    Schema(MigrateError),
    /// The server rejects a statement, and waiting does not fix it.
    #[error(
        "the database rejects a statement that this program needs ({0}); nothing was claimed or stored. Grant its role the missing privileges (CREATE on the database, once), or run the program that fits this schema"
    )]
    Database(StoreError),
    /// A handler's function is missing, or this role may not execute it.
    #[error("handler '{0}': {1}")]
    Function(HandlerName, ResolveError),
    /// A handler's payload filter is invalid.
    #[error("handler '{0}': {1}")]
    Filter(HandlerName, FilterError),
    /// The thread that renews the lease could not be started.
    #[error(
        "the thread that renews the lease could not be started ({0}); nothing was claimed. Check the limits of this process"
    )]
    Thread(std::io::Error),
}

/// A complete declaration that is ready to run.
pub struct App {
    builder: Builder,
    sources: Arc<Sources>,
    shared: Shared,
}

/// The shared state that all parts of a process report to.
#[derive(Clone, Default)]
struct Shared {
    metrics: Metrics,
    heartbeats: Heartbeats,
    readiness: Readiness,
    wake: Wake,
    announcer: Announcer,
}

impl Shared {
    /// Wakes the claimers of all processes. To be called after events have been stored.
    fn wake_claimers<T>(&self) -> impl Fn(T) + Send + Sync + use<T> {
        let (wake, announcer) = (self.wake.clone(), self.announcer.clone());
        move |_| {
            wake.wake();
            announcer.announce();
        }
    }
}

impl App {
    pub(super) fn new(mut builder: Builder) -> Self {
        let sources = Arc::new(Sources::new(std::mem::take(&mut builder.sources)));
        Self {
            builder,
            sources,
            shared: Shared::default(),
        }
    }

    /// The sources, whose secrets can be replaced while the app runs.
    pub fn sources(&self) -> Arc<Sources> {
        self.sources.clone()
    }

    /// Returns the handle that replaces secrets while the app runs. It is `None` if no
    /// configuration made the builder, and from the second call on.
    pub fn reloader(&mut self) -> Option<Reloader> {
        Some(Reloader::new(
            self.sources.clone(),
            self.builder.configured.take()?,
        ))
    }

    /// Reports the handlers that cannot run on this database; [`App::run`] would fail with the
    /// first of them. Apply pending migrations before: the check needs the current schema.
    pub async fn problems(&self) -> Vec<String> {
        problems(&registration(&self.builder, &self.sources)).await
    }

    /// Runs until `stop` is cancelled, and then until everything in flight has finished or the
    /// shutdown timeout has passed.
    ///
    /// It listens at once. Until the database is reachable, webhooks are answered 503.
    ///
    /// # Errors
    /// [`RunError`]. An unreachable database is not an error: the app waits for it.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let Self {
            mut builder,
            sources,
            shared,
        } = self;
        shared.readiness.set(
            DATABASE,
            Err("not connected yet; webhooks get 503 until then".to_owned()),
        );
        let stopping = stop.clone();
        let stopped = tokio::spawn(async move {
            stopping.cancelled().await;
            Instant::now()
        });
        let ended = CancellationToken::new();
        let _ended = ended.clone().drop_guard();
        if let Some(listener) = builder.admin.take() {
            let (heartbeats, readiness) = (shared.heartbeats.clone(), shared.readiness.clone());
            let admin = Admin {
                heartbeats,
                readiness,
                metrics: shared.metrics.registry(),
            };
            tokio::spawn(admin.serve(listener, ended.clone()));
        }
        let (intake, writers) = group_commit(builder.queue_capacity);
        let (evidence, quarantine_writer) = quarantine(builder.quarantine, shared.metrics.clone());
        let registration = registration(&builder, &sources);
        let shutdown_timeout = builder.shutdown_timeout;
        let roles = [
            (builder.ingress.is_some(), "ingress"),
            (builder.worker, "worker"),
        ];
        let roles = roles
            .into_iter()
            .filter_map(|(has, role)| has.then_some(role))
            .collect();
        // The ingress holds the only senders of both queues, so the writers end after it.
        if builder.ingress.is_some() {
            shared.readiness.set(INTAKE, Err(NOT_CONNECTED.to_owned()));
        }
        let taken = sources.clone();
        let ingress = ingress(&mut builder, sources, intake, evidence, &shared, &stop);

        let handlers = builder
            .handlers
            .iter()
            .filter(|_| builder.worker)
            .map(|declared| ServedHandler {
                name: declared.subscription.name.to_string(),
                slots: declared.slots(),
            })
            .collect();
        let configured = registration
            .sources
            .iter()
            .map(|source| source.name.to_string())
            .collect();
        let opened = tokio::select! {
            opened = open(&registration) => opened?,
            () = stop.cancelled() => return Ok(()),
        };
        shared.readiness.set(DATABASE, Ok(()));
        let database = registration.database;
        let writing = ingress.is_some().then(|| {
            tokio::spawn(write(
                database.clone(),
                writers,
                quarantine_writer,
                taken,
                &opened,
                &shared,
                stop.clone(),
            ))
        });
        let maintenance = Maintenance {
            database: database.clone(),
            pool: opened.pool.clone(),
            clock: opened.clock.clone(),
            metrics: shared.metrics.clone(),
            heartbeats: shared.heartbeats.clone(),
            readiness: shared.readiness.clone(),
            process: Process {
                owner: owner(),
                roles,
                handlers,
                sources: configured,
            },
        };
        let maintenance = tokio::spawn(maintenance.run(ended.clone()));
        let announcer = tokio::spawn(shared.announcer.clone().run(database.clone()));
        tokio::spawn(
            ended.clone().run_until_cancelled_owned(log_when_ready(
                database.clone(),
                shared.readiness.clone(),
            )),
        );
        if builder.worker {
            let reconciler = reconciler(&mut builder, &database, &opened, &shared);
            tokio::spawn(reconciler.run(ended.clone()));
            work(&builder, &database, opened, &shared, &stop).await?;
        }
        // A task that only waits does not panic, and nothing aborts it.
        let stopped = stopped.await.unwrap_or_else(|_| Instant::now());
        let soon =
            || (Instant::now() + LAST_COMMITS).min(stopped + shutdown_timeout + LAST_COMMITS);
        drain(ingress, stopped + shutdown_timeout).await;
        drain(writing, soon()).await;
        announcer.abort();
        ended.cancel();
        drain(Some(maintenance), soon()).await;
        Ok(())
    }
}

/// Logs once when the process becomes ready for the first time.
async fn log_when_ready(database: Database, readiness: Readiness) {
    while !readiness.unmet().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tracing::info!(%database, "ready");
}

/// Runs the worker until `stop` is cancelled. Once a missing function can be called, the worker
/// shuts down cleanly and starts again with its handler.
async fn work(
    builder: &Builder,
    database: &Database,
    mut opened: Opened,
    shared: &Shared,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    opened.waiting.iter().for_each(functions::report);
    loop {
        let settings = worker_settings(builder, database.clone(), &opened, shared);
        let stop_this = stop.child_token();
        let running = worker::run(settings, stop_this.clone());
        if opened.waiting.is_empty() {
            return running.await.map_err(RunError::Thread);
        }
        let appears = async {
            if stop
                .run_until_cancelled(functions::wait(&mut opened))
                .await
                .is_some()
            {
                stop_this.cancel();
            }
        };
        let (ran, ()) = tokio::join!(running, appears);
        ran.map_err(RunError::Thread)?;
        if stop.is_cancelled() {
            return Ok(());
        }
    }
}

fn registration(builder: &Builder, sources: &Sources) -> Registration {
    let handlers = builder
        .handlers
        .iter()
        .filter(|_| builder.worker)
        .map(|declared| HandlerRegistration {
            name: declared.subscription.name.clone(),
            kind: declared.kind,
            types: declared.subscription.types.clone(),
            sources: declared.subscription.sources.clone(),
            retry: declared.subscription.policy.retry.clone(),
            order: declared.subscription.policy.order.clone(),
            filter: declared.subscription.policy.filter.clone(),
            behind_after: declared.subscription.policy.behind_after,
        });
    let functions = builder
        .handlers
        .iter()
        .filter_map(|declared| match &declared.by {
            Execution::SqlFunction(name) => {
                Some((declared.subscription.name.clone(), name.clone()))
            }
            _ => None,
        });
    let sql_sources = builder
        .sql_sources
        .iter()
        .map(|(name, fields)| SourceRegistration {
            name: name.clone(),
            kind: "sql",
            fields: fields.clone(),
        });
    Registration {
        database: builder.database.clone(),
        migrate: builder.migrate,
        sources: sources
            .registrations()
            .into_iter()
            .chain(sql_sources)
            .collect(),
        handlers: handlers.collect(),
        functions: functions.filter(|_| builder.worker).collect(),
        wait_for_functions: builder.wait_for_functions,
        retention: builder.retention.filter(|_| builder.worker),
        worker: builder.worker,
        retire: builder.retire.clone(),
        config_version: builder.config_version,
        roles: builder.roles.clone(),
    }
}

fn ingress(
    builder: &mut Builder,
    sources: Arc<Sources>,
    intake: GroupCommit,
    evidence: Quarantine,
    shared: &Shared,
    stop: &CancellationToken,
) -> Option<JoinHandle<()>> {
    let listener = builder.ingress.take()?;
    let observer = Arc::new(Counting(shared.metrics.clone()));
    let ingress = Ingress::new(sources, intake, evidence, observer, builder.limits);
    Some(tokio::spawn(ingress.serve(listener, stop.clone())))
}

/// Stores webhooks and quarantined requests, and verifies quarantined ones again. It ends after the
/// ingress.
fn write(
    database: Database,
    writers: Writers,
    quarantine_writer: QuarantineWriter,
    live_sources: Arc<Sources>,
    opened: &Opened,
    shared: &Shared,
    stop: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let context = WriterContext {
        database: database.clone(),
        clock: opened.clock.clone(),
        sources: opened.sources.clone(),
        readiness: shared.readiness.clone(),
        heartbeats: shared.heartbeats.clone(),
        stored: Arc::new(shared.wake_claimers()),
    };
    let (sources, heartbeats) = (opened.sources.clone(), shared.heartbeats.clone());
    let observer = Arc::new(Counting(shared.metrics.clone()));
    let reverifier = Reverifier {
        pool: opened.pool.clone(),
        sources: live_sources,
        context: context.clone(),
        observer,
    };
    async move {
        tokio::join!(
            writers.run(WRITERS, context),
            quarantine_writer.run(database, sources, heartbeats),
            reverifier.run(stop)
        );
    }
}

/// Searches Airalo's orders for overdue results.
fn reconciler(
    builder: &mut Builder,
    database: &Database,
    opened: &Opened,
    shared: &Shared,
) -> Reconciler {
    let accounts = std::mem::take(&mut builder.accounts);
    for account in accounts
        .iter()
        .filter(|account| !opened.sources.contains_key(&account.source))
    {
        tracing::error!(source = %account.source, "an account's source is not declared, so its orders are not reconciled. Declare it");
    }
    Reconciler::new(
        opened.pool.clone(),
        database.clone(),
        opened.clock.clone(),
        &opened.sources,
        accounts,
        shared.wake_claimers(),
    )
}

fn worker_settings(
    builder: &Builder,
    database: Database,
    opened: &Opened,
    shared: &Shared,
) -> WorkerSettings {
    let served = builder.handlers.iter().cloned().filter_map(|declared| {
        let (name, policy) = (declared.subscription.name, declared.subscription.policy);
        let runs = match declared.by {
            Execution::InProcess(runs) => runs,
            Execution::SqlFunction(_) => ExecutionMode::InTransaction(InTransaction::Function(
                opened.functions.get(&name)?.clone(),
            )),
            Execution::Pull => return None,
        };
        Some(HandlerSpec {
            id: *opened.handlers.get(&name)?,
            name,
            policy,
            runs,
        })
    });
    WorkerSettings {
        database,
        pool: opened.pool.clone(),
        owner: owner(),
        handlers: served.collect(),
        metrics: shared.metrics.clone(),
        heartbeats: shared.heartbeats.clone(),
        readiness: shared.readiness.clone(),
        wake: shared.wake.clone(),
        shutdown_timeout: builder.shutdown_timeout,
    }
}

fn owner() -> String {
    format!("{}:{}", hostname(), std::process::id())
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "host".to_owned(), |name| name.trim().to_owned())
}

/// Waits for a part until the deadline, but for at least `LEAST`, also if the deadline has passed.
async fn drain(part: Option<JoinHandle<()>>, deadline: Instant) {
    let Some(mut part) = part else { return };
    if tokio::time::timeout_at(deadline.max(Instant::now() + LEAST), &mut part)
        .await
        .is_err()
    {
        tracing::warn!("a shutdown step timed out and was aborted");
        part.abort();
    }
}
