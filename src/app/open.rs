//! The database, opened: migrated, its partitions made, sources and handlers registered.

use super::RunError;
use crate::domain::{HandlerName, Retention, RoleNames, SourceName};
use crate::store::{
    Database, DatabaseClock, Fault, FilterError, HandlerId, HandlerRegistration, MigrateError, ResolveError, Role,
    SourceId, SourceRegistration, SqlFunction, StoreError, check_filter, check_schema, ensure_partitions, ensure_roles,
    migrate, register_handlers, register_sources, set_retention, wake_pulled_keys,
};
use crate::throttle::{Backoff, throttled};
use sqlx::PgPool;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long to wait before the database is tried again: from, to.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Connections for what is not hot.
const POOL: u32 = 6;

/// What is registered when the database opens.
pub(super) struct Registration {
    pub(super) database: Database,
    pub(super) migrate: bool,
    pub(super) sources: Vec<SourceRegistration>,
    pub(super) handlers: Vec<HandlerRegistration>,
    /// The names of the functions that are handlers.
    pub(super) functions: Vec<(HandlerName, String)>,
    pub(super) retention: Option<Retention>,
    pub(super) config_version: i64,
    pub(super) roles: RoleNames,
}

/// An open database.
pub(super) struct Opened {
    pub(super) pool: PgPool,
    pub(super) clock: DatabaseClock,
    pub(super) sources: Arc<HashMap<SourceName, SourceId>>,
    pub(super) handlers: HashMap<HandlerName, HandlerId>,
    pub(super) functions: HashMap<HandlerName, SqlFunction>,
}

/// Tries until the database is there.
///
/// # Errors
/// Only what waiting does not mend: a schema this program may not run on, a migration that fails, or a statement the
/// server refuses, as where a privilege is missing.
pub(super) async fn open(registration: &Registration) -> Result<Opened, RunError> {
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    loop {
        let error = match try_open(registration).await {
            Ok(opened) => return Ok(opened),
            Err(RunError::Database(error)) if error.fault() != Fault::Other => error,
            Err(error) => return Err(error),
        };
        throttled!(warn, %error, database = %registration.database,
            "the database is not there; webhooks are answered 503, and this is tried again");
        backoff.failed(Instant::now());
        backoff.wait().await;
    }
}

async fn try_open(registration: &Registration) -> Result<Opened, RunError> {
    let database = &registration.database;
    if registration.migrate {
        let applied = migrate(database).await.map_err(schema)?;
        if applied > 0 {
            tracing::info!(applied, "migrations applied");
        }
    }
    check_schema(database).await.map_err(schema)?;
    let pool = database.pool(Role::General, POOL);
    // Before anything is registered: a handler that cannot run must not gather deliveries.
    let mut functions = HashMap::new();
    for (handler, name) in &registration.functions {
        let function = SqlFunction::resolve(&pool, name).await.map_err(|error| match error {
            ResolveError::Store(error) => RunError::Database(error),
            missing @ ResolveError::Missing { .. } => RunError::Function(handler.clone(), missing),
        })?;
        functions.insert(handler.clone(), function);
    }
    for handler in &registration.handlers {
        let Some(filter) = &handler.filter else { continue };
        check_filter(&pool, filter).await.map_err(|error| match error {
            FilterError::Store(error) => RunError::Database(error),
            invalid @ FilterError::Invalid { .. } => RunError::Filter(handler.name.clone(), invalid),
        })?;
    }
    let opened = async {
        let made = ensure_partitions(&pool).await?;
        if made > 0 {
            tracing::info!(made, "partitions made");
        }
        let clock = DatabaseClock::default();
        let mut connection = database.connect(Role::General).await?;
        clock.measure(&mut connection).await?;
        connection.close().await;
        let sources = Arc::new(register_sources(&pool, &registration.sources).await?);
        let handlers = register_handlers(&pool, &registration.handlers, registration.config_version).await?;
        if let Some(retention) = &registration.retention {
            set_retention(&pool, retention).await?;
        }
        // A claimer does this for its own handler: what waits may wait for an order that is kept no more.
        wake_pulled_keys(&pool).await?;
        Ok::<_, StoreError>((clock, sources, handlers))
    };
    let (clock, sources, handlers) = opened.await.map_err(RunError::Database)?;
    if registration.migrate {
        grant(database, &registration.roles).await;
    }
    Ok(Opened { pool, clock, sources, handlers, functions })
}

/// People can wait for their roles, webhooks cannot.
async fn grant(database: &Database, names: &RoleNames) {
    match ensure_roles(database, names).await {
        Ok(roles) => {
            if let Some(run) = roles.to_run() {
                tracing::warn!(
                    run,
                    "roles for readers and operators are not there, and this role may not make them; everything else \
                     goes on. Have that run by somebody who may, and then `hookfast migrate`"
                );
            }
        }
        Err(error) => {
            tracing::warn!(%error, "readers and operators could not be granted their rights; everything else goes on. \
                Run `hookfast migrate` as the owner of the schemas");
        }
    }
}

fn schema(error: MigrateError) -> RunError {
    match error {
        MigrateError::Store(error) => RunError::Database(error),
        error => RunError::Schema(error),
    }
}
