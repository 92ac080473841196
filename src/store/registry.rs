//! Registers sources, and handlers with their subscriptions.

use super::{StoreError, connect::POOLED, error::within};
use crate::domain::{
    HandlerName, OnDeadLetter, Order, PayloadFields, PayloadFilter, RetryPolicy, SourceName,
    TypePattern,
};
use serde_json::json;
use sqlx::{PgPool, Row};
use std::{collections::HashMap, time::Duration};

/// The id of a source in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub i16);

/// The id of a handler in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId(pub i16);

/// A source as its process declares it.
#[derive(Clone, Debug)]
pub struct SourceRegistration {
    /// The name of the source.
    pub name: SourceName,
    /// The kind of the source, as in `sources.kind`.
    pub kind: &'static str,
    /// The secret fields and the search fields of its payloads.
    pub fields: PayloadFields,
}

/// A handler as its process declares it.
#[derive(Clone, Debug)]
pub struct HandlerRegistration {
    /// The name of the handler.
    pub name: HandlerName,
    /// The kind of the handler, as in `handlers.kind`.
    pub kind: &'static str,
    /// The event types that it subscribes to.
    pub types: Vec<TypePattern>,
    /// The sources that it subscribes to; `None` is all.
    pub sources: Option<Vec<SourceName>>,
    /// When, and how often, a failed delivery is retried. This also applies to clients that fail a
    /// delivery in SQL.
    pub retry: RetryPolicy,
    /// The order of its deliveries; `None` if it is not ordered.
    pub order: Option<Order>,
    /// The payload filter; `None` accepts every payload.
    pub filter: Option<PayloadFilter>,
    /// How long a delivery may be ready before the handler is behind.
    pub behind_after: Duration,
}

impl HandlerRegistration {
    /// The retry policy as the registry stores it.
    fn retry_json(&self) -> serde_json::Value {
        let millis = |duration: &Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        match &self.retry {
            RetryPolicy::Delays(delays) => {
                json!({"delays_ms": delays.iter().map(millis).collect::<Vec<_>>()})
            }
            RetryPolicy::Exponential {
                base,
                max,
                max_attempts,
            } => {
                json!({"base_ms": millis(base), "max_ms": millis(max), "max_attempts": max_attempts})
            }
        }
    }
}

const KNOWN_HANDLER: &str = include_str!("sql/known_handler.sql");
const REGISTER_HANDLER: &str = include_str!("sql/register_handler.sql");

/// The registered source, and whether it equals the declared one.
const KNOWN_SOURCE: &str = "SELECT s.id, (s.kind, s.secret_fields, s.search_fields) IS NOT DISTINCT FROM ($2, $3, $4) \
    FROM hookfast_data.sources s WHERE s.name = $1";

/// Not one INSERT … ON CONFLICT DO UPDATE, which would take a number of the sequence at every
/// start. The sequence is short.
const REGISTER_SOURCE: &str = "WITH renewed AS ( \
        UPDATE hookfast_data.sources s SET kind = $2, secret_fields = $3, search_fields = $4 FROM hookfast_data.sources old \
        WHERE s.name = $1 AND old.id = s.id RETURNING s.id, \
            CASE WHEN NOT old.search_fields @> s.search_fields THEN hookfast_data.request_reindex(s.id) END AS reindex) \
    INSERT INTO hookfast_data.sources AS s (name, kind, secret_fields, search_fields) \
    SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM renewed) ON CONFLICT (name) DO NOTHING";

/// How often a registration is tried if other processes register at the same time.
const MAX_ATTEMPTS: u32 = 5;

/// Registers the sources, and returns their ids. A source that is registered already is only read.
///
/// # Errors
/// If the database cannot be queried.
pub async fn register_sources(
    pool: &PgPool,
    sources: &[SourceRegistration],
) -> Result<HashMap<SourceName, SourceId>, StoreError> {
    let mut ids = HashMap::new();
    for source in sources {
        let id = within(POOLED, "register a source", register_source(pool, source)).await?;
        ids.insert(source.name.clone(), id);
    }
    Ok(ids)
}

async fn register_source(
    pool: &PgPool,
    source: &SourceRegistration,
) -> Result<SourceId, sqlx::Error> {
    let (secret, search) = (source.fields.secret(), source.fields.search());
    for _ in 0..MAX_ATTEMPTS {
        let known: Option<(i16, bool)> = sqlx::query_as(KNOWN_SOURCE)
            .bind(source.name.as_str())
            .bind(source.kind)
            .bind(secret)
            .bind(search)
            .fetch_optional(pool)
            .await?;
        if let Some((id, true)) = known {
            return Ok(SourceId(id));
        }
        let register = sqlx::query(REGISTER_SOURCE)
            .bind(source.name.as_str())
            .bind(source.kind);
        register.bind(secret).bind(search).execute(pool).await?;
    }
    Err(sqlx::Error::RowNotFound)
}

/// Returns all sources that were ever registered.
///
/// # Errors
/// If the database cannot be queried.
pub async fn source_ids(pool: &PgPool) -> Result<HashMap<SourceName, SourceId>, StoreError> {
    let read = sqlx::query_as("SELECT name, id FROM hookfast_data.sources").fetch_all(pool);
    let rows: Vec<(String, i16)> = within(POOLED, "read the sources", read).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(name, id)| Some((name.parse().ok()?, SourceId(id))))
        .collect())
}

/// Registers the subscriptions of handlers, and returns the ids of the handlers.
///
/// A subscription applies to every ingest statement that begins after the commit. Each change
/// raises the subscription version, and is recorded in the audit log. A handler with an older
/// version of the configuration than the registered one changes nothing, so that in a rolling
/// deployment the old process does not undo the new one.
///
/// # Errors
/// If the database cannot be queried.
pub async fn register_handlers(
    pool: &PgPool,
    handlers: &[HandlerRegistration],
    config_version: i64,
) -> Result<HashMap<HandlerName, HandlerId>, StoreError> {
    let mut ids = HashMap::new();
    for handler in handlers {
        let registering = register_handler(pool, handler, config_version);
        let (id, outdated) = within(POOLED, "register a handler", registering).await?;
        if outdated {
            tracing::warn!(handler = %handler.name, config_version,
                "a newer configuration has registered this handler: its subscription was not changed");
        }
        ids.insert(handler.name.clone(), id);
    }
    Ok(ids)
}

async fn register_handler(
    pool: &PgPool,
    handler: &HandlerRegistration,
    config_version: i64,
) -> Result<(HandlerId, bool), sqlx::Error> {
    let bound = |statement: &'static str| {
        sqlx::query(statement)
            .bind(handler.name.as_str())
            .bind(handler.kind)
            .bind(
                handler
                    .types
                    .iter()
                    .map(TypePattern::as_str)
                    .collect::<Vec<_>>(),
            )
            .bind(
                handler
                    .sources
                    .as_ref()
                    .map(|s| s.iter().map(SourceName::as_str).collect::<Vec<_>>()),
            )
            .bind(i16::try_from(handler.retry.max_attempts()).unwrap_or(i16::MAX))
            .bind(config_version)
            .bind(handler.retry_json())
            .bind(handler.order.as_ref().map(|order| order.by.steps()))
            .bind(
                handler
                    .order
                    .as_ref()
                    .map_or(OnDeadLetter::Skip, |order| order.on_dead)
                    .as_str(),
            )
            .bind(handler.filter.as_ref().map(PayloadFilter::as_str))
            .bind(
                i64::try_from(handler.behind_after.as_millis())
                    .unwrap_or(i64::MAX)
                    .clamp(1, 10 * 365 * 86_400_000),
            )
    };
    for _ in 0..MAX_ATTEMPTS {
        if let Some(row) = bound(KNOWN_HANDLER).fetch_optional(pool).await? {
            let (id, outdated, same): (i16, bool, bool) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            if outdated || same {
                return Ok((HandlerId(id), outdated));
            }
        }
        if let Some(row) = bound(REGISTER_HANDLER).fetch_optional(pool).await? {
            return Ok((HandlerId(row.try_get(0)?), row.try_get(1)?));
        }
    }
    Err(sqlx::Error::RowNotFound)
}

/// Stops dispatching to a handler. Its deliveries wait.
///
/// # Errors
/// If the database cannot be queried.
pub async fn pause_gone_handler(
    pool: &PgPool,
    handler: &HandlerName,
    why: &str,
    status: Option<u16>,
) -> Result<(), StoreError> {
    within(
        POOLED,
        "pause a handler",
        sqlx::query("SELECT hookfast_data.pause_handler($1, $2, true, $3)")
            .bind(handler.as_str())
            .bind(why)
            .bind(status.and_then(|status| i16::try_from(status).ok()))
            .execute(pool),
    )
    .await
    .map(drop)
}
