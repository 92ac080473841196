//! Opens the database: applies migrations, creates partitions, registers sources and handlers.

use super::RunError;
use crate::domain::{HandlerName, Retention, RoleNames, SourceName};
use crate::store::{
    Database, DatabaseClock, Fault, FilterError, HandlerId, HandlerRegistration, MigrateError,
    Migrated, ResolveError, Role, SourceId, SourceRegistration, SqlFunction, StoreError,
    check_filter, check_schema, ensure_partitions, ensure_roles, inspect, migrate,
    register_handlers, register_sources, retire_handlers, set_retention, unconfigured_handlers,
};
use crate::throttle::{Backoff, throttled};
use sqlx::PgPool;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// The shortest and the longest wait before the connection is retried.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Connections for queries outside the hot path.
pub(super) const POOL: u32 = 6;

pub(super) struct Registration {
    pub(super) database: Database,
    pub(super) migrate: bool,
    pub(super) sources: Vec<SourceRegistration>,
    pub(super) handlers: Vec<HandlerRegistration>,
    /// The function name of each handler of kind `sql`.
    pub(super) functions: Vec<(HandlerName, String)>,
    /// Whether a handler waits if its function is missing.
    pub(super) wait_for_functions: bool,
    pub(super) retention: Option<Retention>,
    /// Whether this process has the role worker. Only then are the configuration's handlers
    /// registered.
    pub(super) worker: bool,
    /// Handlers to retire unless a live process has them.
    pub(super) retire: Vec<HandlerName>,
    pub(super) config_version: i64,
    pub(super) roles: RoleNames,
}

pub(super) struct Opened {
    pub(super) pool: PgPool,
    pub(super) clock: DatabaseClock,
    pub(super) sources: Arc<HashMap<SourceName, SourceId>>,
    pub(super) handlers: HashMap<HandlerName, HandlerId>,
    pub(super) functions: HashMap<HandlerName, SqlFunction>,
    /// The handlers whose functions cannot be called yet.
    pub(super) waiting: Vec<WaitingHandler>,
}

/// A handler whose function is missing or may not be executed.
pub(super) struct WaitingHandler {
    pub(super) name: HandlerName,
    /// The function's name as in SQL.
    pub(super) function: String,
    pub(super) reason: ResolveError,
}

/// Tries until the database can be reached and written to.
///
/// # Errors
/// Only for errors that waiting does not fix: a schema that this program may not run on, a
/// migration that fails, or a statement that the server refuses, for example for lack of a
/// privilege.
pub(super) async fn open(registration: &Registration) -> Result<Opened, RunError> {
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    loop {
        let error = match try_open(registration).await {
            Ok(opened) => return Ok(opened),
            Err(NotOpened::Passing(error)) => error,
            Err(NotOpened::Final(error)) => return Err(error),
        };
        throttled!(warn, %error, database = %registration.database,
            "the database cannot be reached or written to, retrying; webhooks are answered 503");
        backoff.failed(Instant::now());
        backoff.wait().await;
    }
}

#[derive(Debug, thiserror::Error)]
enum NotOpened {
    /// A later try may succeed.
    #[error("{0}")]
    Passing(String),
    /// Waiting does not fix it.
    #[error(transparent)]
    Final(RunError),
}

impl From<StoreError> for NotOpened {
    fn from(error: StoreError) -> Self {
        match error.fault() {
            Fault::Lost | Fault::Contended | Fault::LockTimeout => Self::Passing(error.to_string()),
            Fault::Data | Fault::Other => Self::Final(RunError::Database(error)),
        }
    }
}

impl From<MigrateError> for NotOpened {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Store(error) => error.into(),
            MigrateError::ReadOnly => Self::Passing(error.to_string()),
            error => Self::Final(RunError::Schema(error)),
        }
    }
}

async fn try_open(registration: &Registration) -> Result<Opened, NotOpened> {
    let database = &registration.database;
    if registration.migrate {
        let migrated = migrate(database).await?;
        if migrated != Migrated::default() {
            tracing::info!(
                migrations = migrated.migrations,
                objects = migrated.objects,
                "schema migrated"
            );
        }
    }
    check_schema(database).await?;
    let pool = database.pool(Role::General, POOL);
    let inspection = inspect(database).await?;
    if inspection.read_only {
        return Err(NotOpened::Passing(
            "the server is read-only (a standby, or default_transaction_read_only)".to_owned(),
        ));
    }
    for problem in inspection.problems() {
        tracing::warn!(%database, "{problem}");
    }
    if let Some(sequences) = inspection.sequence_warning() {
        tracing::warn!(%database, "{sequences}");
    }
    if let Some(objects) = &inspection.foreign_objects {
        tracing::warn!(%database, "{}", objects.warning());
    }
    // Not a warning: the private Postgres of `hookfast dev` has no other role.
    if let Some(superuser) = inspection.superuser_warning() {
        tracing::info!(%database, "{superuser}");
    }
    // Before anything is registered: a handler that cannot run must not accumulate deliveries,
    // unless it is configured to wait for its function.
    let (functions, waiting) = resolve(&pool, registration).await?;
    for handler in &registration.handlers {
        filter(&pool, handler).await?;
    }
    let opened = async {
        let made = ensure_partitions(&pool).await?;
        if made > 0 {
            tracing::info!(made, "partitions created");
        }
        let clock = DatabaseClock::default();
        let mut connection = database.connect(Role::General).await?;
        clock.measure(&mut connection).await?;
        connection.close().await;
        let sources = Arc::new(register_sources(&pool, &registration.sources).await?);
        let handlers =
            register_handlers(&pool, &registration.handlers, registration.config_version).await?;
        if registration.worker {
            retire(&pool, registration).await?;
        }
        if let Some(retention) = &registration.retention {
            set_retention(&pool, retention).await?;
        }
        Ok::<_, StoreError>((clock, sources, handlers))
    };
    let (clock, sources, handlers) = opened.await?;
    if registration.migrate {
        grant(database, &registration.roles).await;
    }
    Ok(Opened {
        pool,
        clock,
        sources,
        handlers,
        functions,
        waiting,
    })
}

/// Retires the handlers in `retire`, and reports registered handlers whose deliveries no live
/// process runs. That is not an error: another process with those handlers may be about to start.
async fn retire(pool: &PgPool, registration: &Registration) -> Result<(), StoreError> {
    if !registration.retire.is_empty() {
        match retire_handlers(
            pool,
            &registration.retire,
            "no longer in the configuration of hookfast dev",
        )
        .await
        {
            Ok(retired) if retired.is_empty() => {}
            Ok(retired) => tracing::info!(
                handlers = retired.join(", "),
                "retired, because the configuration no longer has them; their pending deliveries are kept"
            ),
            Err(error) => {
                tracing::warn!(%error, "handlers of an earlier start could not be retired; the next start retries it")
            }
        }
    }
    let configured: Vec<_> = registration
        .handlers
        .iter()
        .map(|handler| handler.name.clone())
        .collect();
    let unconfigured = unconfigured_handlers(pool, &configured).await?;
    if !unconfigured.is_empty() {
        tracing::warn!(
            handlers = unconfigured.join(", "),
            "registered handlers are neither in this configuration nor in that of a live process: their events are \
             stored, and their deliveries wait. If another process serves them, start it; otherwise end their \
             subscriptions: hookfast handlers retire NAME --why …"
        );
    }
    Ok(())
}

/// Splits the handlers of kind `sql` into those whose function can be called and those that wait.
async fn resolve(
    pool: &PgPool,
    registration: &Registration,
) -> Result<(HashMap<HandlerName, SqlFunction>, Vec<WaitingHandler>), NotOpened> {
    let (mut functions, mut waiting) = (HashMap::new(), Vec::new());
    for (handler, function) in &registration.functions {
        match resolve_function(pool, handler, function).await {
            Ok(resolved) => {
                functions.insert(handler.clone(), resolved);
            }
            Err(NotOpened::Final(RunError::Function(name, reason)))
                if registration.wait_for_functions =>
            {
                waiting.push(WaitingHandler {
                    name,
                    function: function.clone(),
                    reason,
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok((functions, waiting))
}

/// Reports every handler that could not run, in the words of a failed start.
pub(super) async fn problems(registration: &Registration) -> Vec<String> {
    let pool = registration.database.pool(Role::General, 1);
    let mut problems = Vec::new();
    for (handler, name) in &registration.functions {
        problems.extend(resolve_function(&pool, handler, name).await.err());
    }
    for handler in &registration.handlers {
        problems.extend(filter(&pool, handler).await.err());
    }
    pool.close().await;
    problems.iter().map(NotOpened::to_string).collect()
}

async fn resolve_function(
    pool: &PgPool,
    handler: &HandlerName,
    name: &str,
) -> Result<SqlFunction, NotOpened> {
    SqlFunction::resolve(pool, name)
        .await
        .map_err(|error| match error {
            ResolveError::Store(error) => error.into(),
            reason => NotOpened::Final(RunError::Function(handler.clone(), reason)),
        })
}

async fn filter(pool: &PgPool, handler: &HandlerRegistration) -> Result<(), NotOpened> {
    let Some(filter) = &handler.filter else {
        return Ok(());
    };
    check_filter(pool, filter)
        .await
        .map_err(|error| match error {
            FilterError::Store(error) => error.into(),
            invalid @ FilterError::Invalid { .. } => {
                NotOpened::Final(RunError::Filter(handler.name.clone(), invalid))
            }
        })
}

/// A failure is only logged: people can wait for their roles, webhooks cannot wait.
async fn grant(database: &Database, names: &RoleNames) {
    match ensure_roles(database, names).await {
        Ok(roles) => {
            if let Some(run) = roles.to_run() {
                tracing::warn!(
                    run,
                    "roles for readers and operators are missing, and this role may not create them; nothing else is \
                     affected. Have a role that may create roles run these statements, then run `hookfast migrate`"
                );
            }
        }
        Err(error) => {
            tracing::warn!(%error, "readers and operators could not be granted their privileges; nothing else is affected. \
                Run `hookfast migrate` as the owner of the schemas");
        }
    }
}
