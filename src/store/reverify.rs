//! Quarantined requests that an operator asked to look at once more.

use super::{SourceId, StoreError, connect::POOLED, error::within};
use bytes::Bytes;
use sqlx::{PgPool, Postgres, Row, Transaction, postgres::PgRow};
use std::time::{Duration, SystemTime};

/// In the order they came. Each is held until what became of it is committed, so that two processes do not do it twice.
const ASKED: &str = include_str!("sql/review_requests.sql");
const ANSWERED: &str = include_str!("sql/review_results.sql");

/// A quarantined request, and what was asked of it.
#[derive(Debug)]
pub struct Asked {
    /// Its row.
    pub id: i64,
    /// The source it claimed to be of.
    pub source: SourceId,
    /// Who vouches for it; `None` where it is to be verified.
    pub vouched_by: Option<String>,
    /// When the first of its kind came.
    pub first_at: SystemTime,
    /// The last part of the URL.
    pub topic: Option<String>,
    /// Its headers, as stored.
    pub headers: serde_json::Value,
    /// Its body.
    pub body: Bytes,
}

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is an event now, or was one before: this word says which. Its row goes.
    Admitted(&'static str),
    /// It is none, for this reason: its row stays.
    Refused(&'static str),
    /// It could not be decided now, and is looked at again.
    Later,
}

/// Some quarantined requests, held until they are answered. Dropped, they are as they were.
pub struct Review {
    transaction: Transaction<'static, Postgres>,
    /// What was asked for.
    pub asked: Vec<Asked>,
}

impl Review {
    /// Takes up to `most` of these sources that nobody else is at.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub async fn begin(pool: &PgPool, sources: &[SourceId], most: i64) -> Result<Self, StoreError> {
        let run = async {
            let mut transaction = pool.begin().await?;
            let sources: Vec<_> = sources.iter().map(|source| source.0).collect();
            let rows = sqlx::query(ASKED)
                .bind(sources)
                .bind(most)
                .fetch_all(&mut *transaction)
                .await?;
            let asked = rows.iter().map(read).collect::<Result<_, _>>()?;
            Ok(Self { transaction, asked })
        };
        within(POOLED, "read what is asked of the quarantine", run).await
    }

    /// Writes down what became of each, in the order of `asked`, with a line for each source in the operator log.
    ///
    /// # Errors
    /// Where the statement failed: all are as they were, and asked for still.
    pub async fn answer(mut self, answers: &[Answered]) -> Result<(), StoreError> {
        let words: Vec<_> = answers
            .iter()
            .map(|answer| match answer {
                Answered::Admitted(verdict) => (Some("admitted"), *verdict),
                Answered::Refused(reason) => (Some("refused"), *reason),
                Answered::Later => (None, ""),
            })
            .collect();
        let run = async {
            sqlx::query(ANSWERED)
                .bind(self.asked.iter().map(|asked| asked.id).collect::<Vec<_>>())
                .bind(words.iter().map(|(what, _)| *what).collect::<Vec<_>>())
                .bind(words.iter().map(|(_, word)| *word).collect::<Vec<_>>())
                .execute(&mut *self.transaction)
                .await?;
            self.transaction.commit().await
        };
        within(POOLED, "answer what is asked of the quarantine", run).await
    }
}

fn read(row: &PgRow) -> Result<Asked, sqlx::Error> {
    let micros: i64 = row.try_get("first_at")?;
    let released: bool = row.try_get("released")?;
    let by: String = row.try_get("requested_by")?;
    Ok(Asked {
        id: row.try_get("id")?,
        source: SourceId(row.try_get("source_id")?),
        vouched_by: released.then_some(by),
        first_at: SystemTime::UNIX_EPOCH + Duration::from_micros(micros.max(0).unsigned_abs()),
        topic: row.try_get("topic")?,
        headers: row.try_get("headers")?,
        body: row.try_get::<Vec<u8>, _>("body")?.into(),
    })
}
