//! Processes the quarantined requests that an operator wants verified again or approved.

use super::{SourceId, StoreError, connect::POOLED, error::within};
use bytes::Bytes;
use sqlx::{PgPool, Postgres, Row, Transaction, postgres::PgRow};
use std::time::{Duration, SystemTime};

/// In the order of arrival. Each row is locked until its result is committed, so that two processes
/// do not handle it.
const REVIEW_REQUESTS: &str = include_str!("sql/review_requests.sql");
const REVIEW_RESULTS: &str = include_str!("sql/review_results.sql");

/// A quarantined request, with the action that an operator requested.
#[derive(Debug)]
pub struct ReviewRequest {
    /// The id of its row.
    pub id: i64,
    /// The source that the request claims to come from.
    pub source: SourceId,
    /// The operator who approved the request; `None` if it is to be verified again.
    pub approved_by: Option<String>,
    /// When the first identical request arrived.
    pub first_at: SystemTime,
    /// The topic, the last part of the URL.
    pub topic: Option<String>,
    /// The headers of the request, as stored.
    pub headers: serde_json::Value,
    /// The body of the request.
    pub body: Bytes,
}

/// The result for a quarantined request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewResult {
    /// The request is an event now, or was one before; the word says which. Its row is deleted.
    Accepted(&'static str),
    /// The request is not an event, for this reason. Its row stays.
    Rejected(&'static str),
    /// The request could not be decided now; Hookfast retries it.
    Later,
}

/// Quarantined requests that are locked until their results are recorded. Dropping this changes
/// nothing.
pub struct Review {
    transaction: Transaction<'static, Postgres>,
    /// The locked requests, with the requested actions.
    pub requests: Vec<ReviewRequest>,
}

impl Review {
    /// Locks up to `most` requests of these sources that no other process has locked.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn begin(pool: &PgPool, sources: &[SourceId], most: i64) -> Result<Self, StoreError> {
        let run = async {
            let mut transaction = pool.begin().await?;
            let sources: Vec<_> = sources.iter().map(|source| source.0).collect();
            let rows = sqlx::query(REVIEW_REQUESTS)
                .bind(sources)
                .bind(most)
                .fetch_all(&mut *transaction)
                .await?;
            let requests = rows.iter().map(read).collect::<Result<_, _>>()?;
            Ok(Self {
                transaction,
                requests,
            })
        };
        within(POOLED, "list requested actions of the quarantine", run).await
    }

    /// Records the result of each request, in the order of `requests`, with an entry for each
    /// source in the audit log.
    ///
    /// # Errors
    /// If the statement fails. Nothing was changed, and the actions are still requested.
    pub async fn record(mut self, results: &[ReviewResult]) -> Result<(), StoreError> {
        let words: Vec<_> = results
            .iter()
            .map(|result| match result {
                ReviewResult::Accepted(verdict) => (Some("accepted"), *verdict),
                ReviewResult::Rejected(reason) => (Some("rejected"), *reason),
                ReviewResult::Later => (None, ""),
            })
            .collect();
        let run = async {
            sqlx::query(REVIEW_RESULTS)
                .bind(
                    self.requests
                        .iter()
                        .map(|request| request.id)
                        .collect::<Vec<_>>(),
                )
                .bind(words.iter().map(|(what, _)| *what).collect::<Vec<_>>())
                .bind(words.iter().map(|(_, word)| *word).collect::<Vec<_>>())
                .execute(&mut *self.transaction)
                .await?;
            self.transaction.commit().await
        };
        within(POOLED, "record results of quarantine actions", run).await
    }
}

fn read(row: &PgRow) -> Result<ReviewRequest, sqlx::Error> {
    let micros: i64 = row.try_get("first_at")?;
    let released: bool = row.try_get("released")?;
    let by: String = row.try_get("requested_by")?;
    Ok(ReviewRequest {
        id: row.try_get("id")?,
        source: SourceId(row.try_get("source_id")?),
        approved_by: released.then_some(by),
        first_at: SystemTime::UNIX_EPOCH + Duration::from_micros(micros.max(0).unsigned_abs()),
        topic: row.try_get("topic")?,
        headers: row.try_get("headers")?,
        body: row.try_get::<Vec<u8>, _>("body")?.into(),
    })
}
