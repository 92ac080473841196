//! The index of new events: what finds them is written some seconds after they were stored.

use super::{Fault, StoreError, connect::POOLED, error::within};
use crate::domain::SearchTerms;
use crate::throttle::throttled;
use sqlx::{PgConnection, PgPool, Row};
use uuid::Uuid;

/// How many events one transaction indexes, and how many bytes of bodies it reads for that.
const MOST: i64 = 2500;
const MOST_BYTES: i64 = 8 << 20;

/// A longer body is not read, and marked.
const LONGEST_BODY: i32 = 1 << 20;

const BEGIN: &str = "SET LOCAL statement_timeout = '10s'";

const NEXT: &str = "SELECT id, search_fields, body FROM hookfast_data.next_events($1, $2, $3)";

/// In the order of the index, which is read and written once from left to right.
const ADD: &str = "INSERT INTO hookfast_data.search_terms (term, event_id) \
    SELECT term, id FROM unnest($1::text[], $2::uuid[]) AS t (term, id) ON CONFLICT DO NOTHING";

const GO_ON: &str = "UPDATE hookfast_data.digest SET upto = $1 WHERE reader = 'terms'";

/// What marks an event that is not indexed as a whole: no value is empty.
const MARK: &str = "";

/// Indexes new events, a batch at a time. A batch that fails is tried again in halves, and an event that fails alone is
/// marked and passed over: it stops no other.
#[derive(Debug)]
pub struct EventIndexer {
    most: i64,
}

impl Default for EventIndexer {
    fn default() -> Self {
        Self { most: MOST }
    }
}

impl EventIndexer {
    /// One batch; answers whether there may be more at once.
    ///
    /// # Errors
    /// Where the database cannot be asked; nothing was indexed then.
    pub async fn step(&mut self, pool: &PgPool) -> Result<bool, StoreError> {
        match index_events(pool, self.most).await {
            Ok(batch) => {
                let more = batch.events == self.most || batch.bytes >= MOST_BYTES;
                self.most = (2 * self.most).min(MOST);
                return Ok(more);
            }
            Err(error) if !may_be_an_event(&error) => return Err(error),
            Err(error) if self.most > 1 => {
                throttled!(warn, %error, events = self.most, "new events could not be indexed; half of them are tried next");
                self.most /= 2;
            }
            Err(error) => {
                let why = format!("SQLSTATE {}", error.sqlstate().unwrap_or_default());
                let passing = sqlx::query_scalar("SELECT hookfast_data.pass_over_event($1)").bind(why).fetch_one(pool);
                let event: Option<Uuid> = within(POOLED, "pass over an event", passing).await?;
                if let Some(event) = event {
                    tracing::error!(
                        %error, %event,
                        "an event cannot be indexed and is passed over; hookfast.find does not find it by its payload"
                    );
                }
            }
        }
        Ok(true)
    }
}

/// An event's data, or the time it takes.
fn may_be_an_event(error: &StoreError) -> bool {
    matches!(error.fault(), Fault::Data | Fault::Other) && error.sqlstate().is_some()
        || error.sqlstate().as_deref() == Some("57014")
}

/// What was read.
#[derive(Debug, Default)]
struct Batch {
    events: i64,
    bytes: i64,
}

/// Ends the transaction before it answers: as long as it is open, nobody else indexes.
async fn index_events(pool: &PgPool, most: i64) -> Result<Batch, StoreError> {
    let indexing = async {
        let mut transaction = pool.begin().await?;
        match index_batch(&mut transaction, most).await {
            Ok(batch) => transaction.commit().await.map(|()| batch),
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        }
    };
    within(POOLED, "index new events", indexing).await
}

async fn index_batch(connection: &mut PgConnection, most: i64) -> Result<Batch, sqlx::Error> {
    sqlx::raw_sql(BEGIN).execute(&mut *connection).await?;
    let rows = sqlx::query(NEXT).bind(most).bind(MOST_BYTES).bind(LONGEST_BODY).fetch_all(&mut *connection).await?;
    let Some(last) = rows.last() else { return Ok(Batch::default()) };
    let last: Uuid = last.try_get("id")?;
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
    sqlx::query(ADD).bind(terms).bind(events).execute(&mut *connection).await?;
    sqlx::query(GO_ON).bind(last).execute(&mut *connection).await?;
    Ok(batch)
}
