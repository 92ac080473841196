//! Stores a group of independent requests in one statement, with a result for each request (group
//! commit).

use super::{
    Connection, Fault, SourceId, StoreError, bisect::Group, clock::interval_millis, error::within,
    rounds::Rounds,
};
use crate::domain::{
    EventId, EventType, Fingerprint, IdempotencyKey, Origin, Receipt, StorableText, Verdict,
};
use crate::sources::VerifiedRequest;
use crate::throttle::throttled;
use bytes::Bytes;
use sqlx::{Row, postgres::PgRow};
use std::{ops::Range, time::Duration};

const INGEST: &str = concat!(
    include_str!("sql/ingest.sql"),
    include_str!("sql/ingest_store.sql")
);
const INGEST_LINKED: &str = concat!(
    include_str!("sql/ingest_linked.sql"),
    include_str!("sql/ingest_store.sql")
);

/// Inserts an event and rolls back, which leaves only a dead row.
const TRIAL: &str = "/* hookfast: try to store an event */ BEGIN; \
    INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
    SELECT hookfast_data.new_event_id(), min(s.id), 0, 'hookfast.trial', 'hookfast', 'trial', '{}', '' \
    FROM hookfast_data.sources s; ROLLBACK";

/// A verified request that is ready to be stored. Each of its texts has a type that Postgres can
/// store.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event id, if the request is a new event.
    pub id: EventId,
    /// The source of the request.
    pub source: SourceId,
    /// The idempotency key of the event.
    pub key: IdempotencyKey,
    /// A second idempotency key of the same event.
    pub alias: Option<IdempotencyKey>,
    /// The fingerprint of the content. Without one, a request with a stored key is always a
    /// duplicate.
    pub fingerprint: Option<Fingerprint>,
    /// How long the idempotency key is kept; `None` is forever.
    pub window: Option<Duration>,
    /// The type of the event.
    pub event_type: EventType,
    /// The topic, the last part of the URL.
    pub topic: Option<StorableText>,
    /// The label of the secret that verified the request.
    pub verified_by: Option<StorableText>,
    /// The headers of the request as a JSON object.
    pub headers: String,
    /// The exact body of the request.
    pub body: Bytes,
}

impl NewEvent {
    /// The event of a verified request, with the headers to store as a JSON object.
    pub fn from_verified(
        id: EventId,
        source: SourceId,
        request: &VerifiedRequest,
        headers: String,
    ) -> Self {
        Self {
            id,
            source,
            key: request.identity.key.clone(),
            alias: request.identity.alias.clone(),
            fingerprint: request.identity.fingerprint.clone(),
            window: request.identity.window,
            event_type: request.event_type.clone(),
            topic: request.topic.clone(),
            verified_by: Some(request.verified_by.clone()),
            headers,
            body: request.body.clone(),
        }
    }
}

/// Why one request of a group was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestError {
    /// The connection is lost. It is not known whether the request was committed.
    Lost,
    /// An open transaction holds the key of the request, or repeatedly conflicted with this one.
    KeyHeld,
    /// The database rejects the data of this request.
    InvalidData,
}

impl Connection {
    /// Stores a group of requests. The results are in the order of the requests, and a request that
    /// cannot be stored does not affect the others. After [`IngestError::Lost`] the connection
    /// cannot be used again.
    pub async fn ingest(
        &mut self,
        events: &[NewEvent],
        origin: Origin,
    ) -> Vec<Result<Receipt, IngestError>> {
        let rounds = Rounds::of(events);
        let mut answers = vec![Err(IngestError::Lost); events.len()];
        for round in &rounds.rounds {
            let group: Vec<_> = round.rows.iter().map(|&row| &events[row]).collect();
            let statement = if round.linked { INGEST_LINKED } else { INGEST };
            let stored = self
                .run_bisecting(&Requests {
                    events: &group,
                    origin,
                    statement,
                    linked: round.linked,
                })
                .await;
            let lost = stored.contains(&None);
            for (&row, answer) in round.rows.iter().zip(stored) {
                answers[row] = answer.unwrap_or(Err(IngestError::Lost));
            }
            if lost {
                return answers;
            }
        }
        for &(row, first) in &rounds.repeats {
            answers[row] = answers[first].map(|first| Receipt {
                verdict: Verdict::Duplicate,
                ..first
            });
        }
        answers
    }

    /// Checks that the database would store an event now. [`Connection::check`] does not show
    /// whether the database has space for one.
    ///
    /// # Errors
    /// If it would not. The connection cannot be used again then.
    pub async fn check_storing(&mut self) -> Result<(), StoreError> {
        within(
            self.deadline(),
            "try to store an event",
            sqlx::raw_sql(TRIAL).execute(&mut self.inner),
        )
        .await
        .map(drop)
    }
}

struct Requests<'a> {
    events: &'a [&'a NewEvent],
    origin: Origin,
    statement: &'static str,
    linked: bool,
}

impl Group for Requests<'_> {
    type Answer = Result<Receipt, IngestError>;

    fn len(&self) -> usize {
        self.events.len()
    }

    async fn run(
        &self,
        connection: &mut Connection,
        part: Range<usize>,
    ) -> Result<Vec<Self::Answer>, StoreError> {
        let group = &self.events[part];
        let column = |f: fn(&NewEvent) -> Option<&str>| {
            group.iter().map(|event| f(event)).collect::<Vec<_>>()
        };
        let mut query = sqlx::query(self.statement)
            .bind(group.iter().map(|e| e.id.0).collect::<Vec<_>>())
            .bind(group.iter().map(|e| e.source.0).collect::<Vec<_>>())
            .bind(column(|e| Some(e.key.as_str())))
            .bind(column(|e| e.fingerprint.as_ref().map(Fingerprint::as_str)))
            .bind(
                group
                    .iter()
                    .map(|e| e.window.map(interval_millis))
                    .collect::<Vec<_>>(),
            )
            .bind(column(|e| Some(e.event_type.as_str())))
            .bind(column(|e| e.topic.as_ref().map(StorableText::as_str)))
            .bind(column(|e| e.verified_by.as_ref().map(StorableText::as_str)))
            .bind(column(|e| Some(e.headers.as_str())))
            .bind(group.iter().map(|e| &e.body[..]).collect::<Vec<_>>())
            .bind(self.origin.as_str());
        if self.linked {
            query = query.bind(column(|e| e.alias.as_ref().map(IdempotencyKey::as_str)));
        }
        let rows = within(
            connection.deadline(),
            "ingest",
            query.fetch_all(&mut connection.inner),
        )
        .await?;
        let receipts = receipts(&rows, group.len()).map_err(StoreError::unreadable("ingest"))?;
        Ok(receipts.into_iter().map(Ok).collect())
    }

    fn single_failure(&self, row: usize, error: &StoreError) -> Self::Answer {
        let event = self.events[row];
        throttled!(error, %error, source = event.source.0, key = event.key.as_str(), "a request cannot be stored");
        Err(if error.fault() == Fault::Data {
            IngestError::InvalidData
        } else {
            IngestError::KeyHeld
        })
    }
}

fn receipts(rows: &[PgRow], expected: usize) -> Result<Vec<Receipt>, sqlx::Error> {
    let mut receipts = vec![None; expected];
    for row in rows {
        let ordinal: i64 = row.try_get(0)?;
        let verdict = match row.try_get::<&str, _>(1)? {
            "stored" => Verdict::Stored,
            "conflict" => Verdict::Conflict,
            _ => Verdict::Duplicate,
        };
        let slot = usize::try_from(ordinal - 1)
            .ok()
            .and_then(|i| receipts.get_mut(i));
        *slot.ok_or_else(|| sqlx::Error::Decode("an ordinal out of range".into()))? =
            Some(Receipt {
                verdict,
                event_id: EventId(row.try_get(2)?),
            });
    }
    let complete: Option<Vec<_>> = receipts.into_iter().collect();
    complete.ok_or_else(|| sqlx::Error::Decode("a request without a verdict".into()))
}
