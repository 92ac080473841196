//! Indexes events for search: new events some seconds after they are stored, and all stored events
//! of a source that gets another search field.

use super::{Fault, StoreError, connect::POOLED, error::within};
use crate::domain::SearchTerms;
use crate::throttle::throttled;
use sqlx::{PgConnection, PgPool, Row};
use uuid::Uuid;

/// How many events one transaction indexes, and how many bytes of bodies it reads for that.
const MOST: i64 = 2500;
const MOST_BYTES: i64 = 8 << 20;

/// A longer body is not read, and its event gets [`MARK`].
const LONGEST_BODY: i32 = 1 << 20;

const BEGIN: &str = "SET LOCAL statement_timeout = '10s'";

/// A step of the stored events that are indexed again takes fewer, since nobody waits for it.
const MOST_OLDER: i64 = 500;

const NEXT: &str = "SELECT id, search_fields, body, NULL::smallint AS source_id FROM hookfast_data.next_events($1, $2, $3)";
const NEXT_OLDER: &str =
    "SELECT id, search_fields, body, source_id FROM hookfast_data.next_older_events($1, $2, $3)";

/// The rows are in the order of the index, so that the index is read and written once from left to
/// right.
const ADD: &str = "INSERT INTO hookfast_data.search_terms (term, event_id) \
    SELECT term, id FROM unnest($1::text[], $2::uuid[]) AS t (term, id) ON CONFLICT DO NOTHING";

const GO_ON: &str = "UPDATE hookfast_data.event_cursors SET upto = $1 WHERE reader = 'terms'";
const GO_ON_OLDER: &str = "UPDATE hookfast_data.reindexes SET cursor_id = $1, events_read = events_read + $2 WHERE source_id = $3";

/// The term of an event that is not fully indexed. No value of a search field is empty.
const MARK: &str = "";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    /// Events that were stored since the last step.
    New,
    /// Stored events of a source that got a search field, from the newest to the oldest.
    Older,
}

/// Indexes events in batches. A batch that fails is retried in halves. An event that fails alone is
/// marked and skipped, so that it does not stop the others.
#[derive(Debug)]
pub struct EventIndexer {
    reads: Reads,
    most: i64,
}

impl EventIndexer {
    /// Creates an indexer of new events.
    pub fn of_new_events() -> Self {
        Self {
            reads: Reads::New,
            most: MOST,
        }
    }

    /// Creates an indexer of the stored events of sources that got a search field.
    pub fn of_older_events() -> Self {
        Self {
            reads: Reads::Older,
            most: MOST_OLDER,
        }
    }

    /// Indexes one batch. Returns whether there may be more events to index now.
    ///
    /// # Errors
    /// If the database cannot be queried. Nothing was indexed then.
    pub async fn step(&mut self, pool: &PgPool) -> Result<bool, StoreError> {
        match index_events(pool, self.reads, self.most).await {
            Ok(batch) => {
                let (more, most) = match self.reads {
                    Reads::New => (batch.events == self.most || batch.bytes >= MOST_BYTES, MOST),
                    Reads::Older => (batch.events > 0, MOST_OLDER),
                };
                self.most = (2 * self.most).min(most);
                return Ok(more);
            }
            Err(error) if !may_be_an_event(&error) => return Err(error),
            Err(error) if self.most > 1 => {
                throttled!(warn, %error, events = self.most,
                    "events could not be indexed; retrying with half of them");
                self.most /= 2;
            }
            Err(error) => self.skip_event(pool, error).await?,
        }
        Ok(true)
    }

    async fn skip_event(&self, pool: &PgPool, error: StoreError) -> Result<(), StoreError> {
        let why = format!("SQLSTATE {}", error.sqlstate().unwrap_or_default());
        let passing = sqlx::query_scalar(match self.reads {
            Reads::New => "SELECT hookfast_data.skip_event($1)",
            Reads::Older => "SELECT hookfast_data.skip_older_event($1)",
        });
        let event: Option<Uuid> =
            within(POOLED, "skip an event", passing.bind(why).fetch_one(pool)).await?;
        if let Some(event) = event {
            tracing::error!(
                %error, %event,
                "an event cannot be indexed and is skipped; hookfast.find does not find it by its payload"
            );
        }
        Ok(())
    }
}

/// Whether the data of an event may cause the error, or the time that the event takes.
fn may_be_an_event(error: &StoreError) -> bool {
    matches!(error.fault(), Fault::Data | Fault::Other) && error.sqlstate().is_some()
        || error.sqlstate().as_deref() == Some("57014")
}

#[derive(Debug, Default)]
struct Batch {
    events: i64,
    bytes: i64,
}

/// Ends the transaction before it returns: while it is open, no other process can index.
async fn index_events(pool: &PgPool, reads: Reads, most: i64) -> Result<Batch, StoreError> {
    let indexing = async {
        let mut transaction = pool.begin().await?;
        match index_batch(&mut transaction, reads, most).await {
            Ok(batch) => transaction.commit().await.map(|()| batch),
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        }
    };
    within(POOLED, "index events", indexing).await
}

async fn index_batch(
    connection: &mut PgConnection,
    reads: Reads,
    most: i64,
) -> Result<Batch, sqlx::Error> {
    sqlx::raw_sql(BEGIN).execute(&mut *connection).await?;
    let next = if reads == Reads::New {
        NEXT
    } else {
        NEXT_OLDER
    };
    let rows = sqlx::query(next)
        .bind(most)
        .bind(MOST_BYTES)
        .bind(LONGEST_BODY)
        .fetch_all(&mut *connection)
        .await?;
    let Some(last) = rows.last() else {
        return Ok(Batch::default());
    };
    let (last, source): (Uuid, Option<i16>) = (last.try_get("id")?, last.try_get("source_id")?);
    let mut batch = Batch::default();
    let mut found: Vec<(String, Uuid)> = Vec::new();
    for row in &rows {
        batch.events += 1;
        let event: Uuid = row.try_get("id")?;
        let Some(body) = row.try_get::<Option<&[u8]>, _>("body")? else {
            found.push((MARK.to_owned(), event));
            continue;
        };
        batch.bytes += i64::try_from(body.len()).unwrap_or(i64::MAX);
        let fields: Vec<String> = row.try_get("search_fields")?;
        let terms = SearchTerms::of(body, &fields);
        found.extend(terms.terms.into_iter().map(|term| (term, event)));
        found.extend(terms.cut.then(|| (MARK.to_owned(), event)));
    }
    found.sort_unstable();
    let (terms, events): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    sqlx::query(ADD)
        .bind(terms)
        .bind(events)
        .execute(&mut *connection)
        .await?;
    match source {
        None => {
            sqlx::query(GO_ON)
                .bind(last)
                .execute(&mut *connection)
                .await?
        }
        Some(source) => {
            sqlx::query(GO_ON_OLDER)
                .bind(last)
                .bind(batch.events)
                .bind(source)
                .execute(&mut *connection)
                .await?
        }
    };
    Ok(batch)
}
