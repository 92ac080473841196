//! Calls handlers that are Postgres functions: `function(event hookfast.event) RETURNS void`.

use super::{SettlingTransaction, StoreError, connect::POOLED, error::within};
use crate::domain::{Delivery, Outcome};
use sqlx::{AssertSqlSafe, PgPool, error::DatabaseError, postgres::PgDatabaseError};

/// The SQLSTATE with which a function rejects a delivery for good.
const REFUSED: &str = "HF001";

/// The statement was cancelled, by its timeout or by another session.
const CANCELLED: &str = "57014";

/// The name of the function with its schema, both quoted, and, if this role may not execute it, the
/// statement that grants this.
const RESOLVE: &str = "SELECT format('%I.%I', n.nspname, p.proname), CASE WHEN NOT has_function_privilege(p.oid, 'EXECUTE') \
        THEN format('GRANT EXECUTE ON FUNCTION %I.%I(hookfast.event) TO %I', n.nspname, p.proname, current_user) END \
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
    WHERE p.oid = to_regprocedure($1 || '(hookfast.event)') AND p.prokind = 'f' AND NOT p.proretset";

/// The statement that lets this role use the schema of the function.
const GRANT_OF_SCHEMA: &str =
    "SELECT format('GRANT USAGE ON SCHEMA %I TO %I', (parse_ident($1))[1], current_user)";

/// The event is looked up here, so that the plan is for this one event. A lookup by a parameter
/// inside a function would be planned for every partition.
const CALL: &str = "/* hookfast: sql handler */ \
    SELECT {function}(ROW(e.id, s.name, e.type, e.topic, e.origin, e.received_at, e.idempotency_key, e.conflicts_with, \
        e.headers, hookfast_data.as_jsonb(e.body), e.body, $2::bigint, $3::integer)::hookfast.event) \
    FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id WHERE e.id = $1";

/// A Postgres function that exists and can be called.
#[derive(Clone, Debug)]
pub struct SqlFunction {
    call: String,
}

/// Why a function cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The database could not be queried.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such function, or this role may not see it.
    #[error(
        "there is no function {name}(hookfast.event), or this role may not see it; nothing was started. Create it: CREATE FUNCTION {name}(event hookfast.event) RETURNS void …, and write its name with its schema"
    )]
    Missing {
        /// The name of the function as configured.
        name: String,
    },
    /// The role lacks a privilege on the function or on its schema, so every delivery would fail.
    #[error(
        "this role may not execute {name}(hookfast.event); nothing was started. Have its owner run: {grant}"
    )]
    Forbidden {
        /// The name of the function as configured.
        name: String,
        /// The statement that grants the privilege.
        grant: String,
    },
}

impl SqlFunction {
    /// Finds a function by its name as written in SQL, such as `shop.on_webhook`.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve(pool: &PgPool, name: &str) -> Result<Self, ResolveError> {
        let missing = || ResolveError::Missing {
            name: name.to_owned(),
        };
        let find = sqlx::query_as(RESOLVE).bind(name).fetch_optional(pool);
        let found: Option<(String, Option<String>)> =
            match within(POOLED, "resolve a function", find).await {
                Ok(found) => found,
                // The server looks up nothing in a schema that the role may not use.
                Err(error) if error.is_denied() => {
                    return Err(Self::schema_is_hidden(pool, name).await);
                }
                // A text that is not a valid name is no function either.
                Err(error) if error.is_refused() => return Err(missing()),
                Err(error) => return Err(error.into()),
            };
        match found.ok_or_else(missing)? {
            (_, Some(grant)) => Err(ResolveError::Forbidden {
                name: name.to_owned(),
                grant,
            }),
            (qualified, None) => Ok(Self {
                call: CALL.replace("{function}", &qualified),
            }),
        }
    }

    async fn schema_is_hidden(pool: &PgPool, name: &str) -> ResolveError {
        let grant = sqlx::query_scalar(GRANT_OF_SCHEMA)
            .bind(name)
            .fetch_one(pool);
        match within(POOLED, "name a function's schema", grant).await {
            Ok(grant) => ResolveError::Forbidden {
                name: name.to_owned(),
                grant,
            },
            Err(error) => error.into(),
        }
    }
}

impl SettlingTransaction {
    /// Calls a function as a handler. Its exception is the outcome: a retry by the policy, or a
    /// dead letter if its SQLSTATE is HF001. Rolling back the transaction undoes its changes.
    pub(crate) async fn call(&mut self, function: &SqlFunction, delivery: &Delivery) -> Outcome {
        let call = sqlx::query(AssertSqlSafe(function.call.as_str()))
            .bind(delivery.event.id.0)
            .bind(delivery.id.0)
            .bind(delivery.attempt);
        let (connection, process) = self.watched();
        let called = process.watch(call.execute(connection)).await;
        match called {
            Ok(done) if done.rows_affected() == 1 => Outcome::Delivered,
            Ok(_) => Outcome::dead("the event no longer exists: its retention has passed"),
            Err(sqlx::Error::Database(error)) => match (error.code().as_deref(), self.overrun()) {
                (Some(REFUSED), _) => Outcome::dead(raised(error.message(), &*error)),
                (Some(CANCELLED), Some(limit)) => {
                    Outcome::timed_out(limit, "the handler did not end")
                }
                (code, _) => {
                    let what = format!(
                        "{} (SQLSTATE {})",
                        error.message(),
                        code.unwrap_or_default()
                    );
                    Outcome::retry(raised(&what, &*error))
                }
            },
            Err(error) => Outcome::retry(error.to_string()),
        }
    }
}

/// The message of an exception, where it was raised, and its details. Failures are grouped by the
/// text before the first colon.
fn raised(what: &str, error: &dyn DatabaseError) -> String {
    let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else {
        return what.to_owned();
    };
    let detail = error.detail().map(|detail| format!("detail: {detail}"));
    let context = error
        .r#where()
        .map(|context| format!("at: {}", context.replace('\n', ", called by ")));
    let more: Vec<_> = detail.into_iter().chain(context).collect();
    if more.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {}", more.join("; "))
    }
}
