//! Sources and handlers: who is known, and what is subscribed to.

use super::{StoreError, connect::POOLED, error::within};
use crate::domain::{HandlerName, OnDead, Order, PayloadFields, PayloadFilter, RetryPolicy, SourceName, TypePattern};
use serde_json::json;
use sqlx::{PgPool, Row};
use std::collections::HashMap;

/// A source's small id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub i16);

/// A handler's small id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId(pub i16);

/// A source as its process declares it.
#[derive(Clone, Debug)]
pub struct SourceRegistration {
    /// Its name.
    pub name: SourceName,
    /// Its kind's word.
    pub kind: &'static str,
    /// The members of its payloads that readers must not see, and those that find an event.
    pub fields: PayloadFields,
}

/// A handler as its process declares it.
#[derive(Clone, Debug)]
pub struct HandlerRegistration {
    /// Its name.
    pub name: HandlerName,
    /// Its kind's word.
    pub kind: &'static str,
    /// What it subscribes to.
    pub types: Vec<TypePattern>,
    /// From which sources; `None` is all.
    pub sources: Option<Vec<SourceName>>,
    /// When a failed delivery is tried again, and how often: also for those who fail it through SQL.
    pub retry: RetryPolicy,
    /// The order it keeps.
    pub order: Option<Order>,
    /// Which payloads it wants; `None` is all.
    pub filter: Option<PayloadFilter>,
}

impl HandlerRegistration {
    /// The retry policy as the registry holds it.
    fn retry_json(&self) -> serde_json::Value {
        let millis = |duration: &std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        match &self.retry {
            RetryPolicy::Delays(delays) => json!({"delays_ms": delays.iter().map(millis).collect::<Vec<_>>()}),
            RetryPolicy::Exponential { base, max, tries } => {
                json!({"base_ms": millis(base), "max_ms": millis(max), "tries": tries})
            }
        }
    }
}

const UPSERT_HANDLER: &str = include_str!("sql/register_handler.sql");

/// Makes the sources known, and answers with their ids.
///
/// # Errors
/// Where the database cannot be asked, or knows one of the names as another kind.
pub async fn register_sources(
    pool: &PgPool,
    sources: &[SourceRegistration],
) -> Result<HashMap<SourceName, SourceId>, StoreError> {
    let mut ids = HashMap::new();
    for source in sources {
        let id: i16 = within(POOLED, "register a source", sqlx::query_scalar(
            "INSERT INTO hookfast_data.sources AS s (name, kind, secret_fields, search_fields) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, secret_fields = excluded.secret_fields, \
                search_fields = excluded.search_fields RETURNING s.id",
        )
        .bind(source.name.as_str())
        .bind(source.kind)
        .bind(source.fields.secret())
        .bind(source.fields.search())
        .fetch_one(pool)).await?;
        ids.insert(source.name.clone(), SourceId(id));
    }
    Ok(ids)
}

/// The sources that were ever registered.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn source_ids(pool: &PgPool) -> Result<HashMap<SourceName, SourceId>, StoreError> {
    let read = sqlx::query_as("SELECT name, id FROM hookfast_data.sources").fetch_all(pool);
    let rows: Vec<(String, i16)> = within(POOLED, "read the sources", read).await?;
    Ok(rows.into_iter().filter_map(|(name, id)| Some((name.parse().ok()?, SourceId(id)))).collect())
}

/// Makes the handlers' subscriptions known, and answers with their ids.
///
/// A subscription holds for every ingest statement that begins after this commits. Each change raises the
/// registry's version and is a line in `operator_log`. One whose configuration is of an older version than the
/// registered one changes nothing, so that in a rolling deployment the old process does not undo the new one.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn register_handlers(
    pool: &PgPool,
    handlers: &[HandlerRegistration],
    config_version: i64,
) -> Result<HashMap<HandlerName, HandlerId>, StoreError> {
    let mut ids = HashMap::new();
    for handler in handlers {
        let row = within(
            POOLED,
            "register a handler",
            sqlx::query(UPSERT_HANDLER)
                .bind(handler.name.as_str())
                .bind(handler.kind)
                .bind(handler.types.iter().map(TypePattern::as_str).collect::<Vec<_>>())
                .bind(handler.sources.as_ref().map(|s| s.iter().map(SourceName::as_str).collect::<Vec<_>>()))
                .bind(i16::try_from(handler.retry.tries()).unwrap_or(i16::MAX))
                .bind(config_version)
                .bind(handler.retry_json())
                .bind(handler.order.as_ref().map(|order| order.by.steps()))
                .bind(handler.order.as_ref().map_or(OnDead::Skip, |order| order.on_dead).as_str())
                .bind(handler.filter.as_ref().map(PayloadFilter::as_str))
                .fetch_one(pool),
        )
        .await?;
        let read = |row: &sqlx::postgres::PgRow| Ok((row.try_get::<i16, _>(0)?, row.try_get::<bool, _>(1)?));
        let (id, outdated) = read(&row).map_err(StoreError::unreadable("register a handler"))?;
        if outdated {
            tracing::warn!(handler = %handler.name, config_version,
                "the registry has this handler from a newer configuration: its subscription was left as it is");
        }
        ids.insert(handler.name.clone(), HandlerId(id));
    }
    Ok(ids)
}

/// Stops dispatch to a handler; its deliveries wait.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn pause_handler(pool: &PgPool, handler: &HandlerName, why: &str) -> Result<(), StoreError> {
    within(
        POOLED,
        "pause a handler",
        sqlx::query("SELECT hookfast.pause($1, $2)").bind(handler.as_str()).bind(why).execute(pool),
    )
    .await
    .map(drop)
}
