//! Claims a batch of deliveries of one handler under a lease.

use super::{
    Connection, HandlerId, LeaseId, StoreError, Watermarks, connect::POOLED, error::within,
    watermark::Seen,
};
use crate::domain::{Delivery, DeliveryId, Event, EventId, HandlerName, PayloadFilter};
use crate::throttle::throttled;
use bytes::Bytes;
use sqlx::{Row, postgres::PgRow};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use uuid::Uuid;

const CLAIM: &str = include_str!("sql/claim.sql");
const CLAIMED_EVENTS: &str = include_str!("sql/claimed_events.sql");
const EVENT_BODY: &str = include_str!("sql/event_body.sql");

/// A body up to this many bytes is read with its claim. A longer body is fetched when its attempt
/// begins, so that a claim of many deliveries does not hold many long bodies in memory.
const SHORT_BODY: i32 = 16 * 1024;

/// A limit that every body exceeds, even an empty one: no body is read with the claim.
const NO_BODY: i32 = -1;

/// How long the payload filter may take for all short bodies of a claim. Other handlers wait for
/// the connection meanwhile.
const CLAIM_FILTER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a payload filter that exceeded [`CLAIM_FILTER_TIMEOUT`] is applied to one event at a
/// time.
const SLOW_FOR: Duration = Duration::from_secs(600);

/// How many deliveries one claim may take.
#[derive(Clone, Copy, Debug)]
pub struct ClaimLimits {
    /// The maximum number of fresh deliveries, which come straight from ingest and have no due
    /// time.
    pub fresh: usize,
    /// The maximum number of deliveries whose due time has passed, such as retries.
    pub due: usize,
}

/// The fence of one attempt: a settlement that does not match it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The handler of the delivery.
    pub handler: HandlerId,
    /// The id of the delivery.
    pub delivery: DeliveryId,
    /// The number of the attempt.
    pub attempt: i32,
    /// The lease that the delivery is held under.
    pub lease: LeaseId,
}

/// A delivery that was claimed, with its event.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The fence of its attempt.
    pub claim: Claim,
    /// How many more attempts may fail, this one included.
    pub attempts_left: i16,
    /// How many of its attempts were lost.
    pub lost: i16,
    /// The ordering key, if the handler is ordered.
    pub ordering_key: Option<Arc<str>>,
    /// The id of its event.
    pub event_id: EventId,
    /// What the handler receives; `None` if the event no longer exists.
    pub delivery: Option<Delivery>,
    /// Whether the handler's payload filter accepts the event. Also true if the event no longer
    /// exists or its body is long: [`event_body`] applies the filter to a long body.
    pub passes: bool,
    /// The length in bytes of a body that is too long for the claim, and has to be fetched with
    /// [`event_body`].
    pub long_body: Option<u32>,
}

impl Claimed {
    /// Whether an attempt can start: the event exists and the payload filter accepts it.
    pub fn starts(&self) -> bool {
        self.delivery.is_some() && self.passes
    }
}

/// The result of a claim.
#[derive(Debug)]
pub struct Batch {
    /// The deliveries, now held under the lease.
    pub claimed: Vec<Claimed>,
    /// Which of its limits the claim reached.
    pub truncated: Truncated,
    /// Whether there may be more deliveries to claim now.
    pub more: bool,
}

/// Which of its limits a claim reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncated {
    /// The claim reached [`ClaimLimits::fresh`].
    pub fresh: bool,
    /// The claim reached [`ClaimLimits::due`].
    pub due: bool,
}

struct Row0 {
    claim: Claim,
    attempts_left: i16,
    lost: i16,
    ordering_key: Option<Arc<str>>,
    event_id: EventId,
    replay: Option<i64>,
    due_at: Option<i64>,
}

impl Connection {
    /// Claims as many deliveries of `handler` as there are, up to `limits`. Deliveries that
    /// `filter` rejects are claimed too, and marked by [`Claimed::passes`], unless their bodies are
    /// long.
    ///
    /// # Errors
    /// If a statement fails. Deliveries may then be held under the lease without the worker's
    /// knowledge: [`super::release_unknown`] releases them.
    pub async fn claim(
        &mut self,
        handler: (HandlerId, &HandlerName),
        lease: LeaseId,
        limits: ClaimLimits,
        watermarks: &mut Watermarks,
        filter: Option<&PayloadFilter>,
    ) -> Result<Batch, StoreError> {
        let now = Instant::now();
        let (fresh_watermark, due_watermark) = watermarks.for_claim(now);
        let rows = within(
            self.deadline(),
            "claim",
            sqlx::query(CLAIM)
                .bind(lease.0)
                .bind(handler.0.0)
                .bind(fresh_watermark)
                .bind(i64::try_from(limits.fresh).unwrap_or(i64::MAX))
                .bind(due_watermark)
                .bind(i64::try_from(limits.due).unwrap_or(i64::MAX))
                .fetch_all(&mut self.inner),
        )
        .await?;
        let mut taken = Vec::with_capacity(rows.len());
        let mut scan = Scan::default();
        for row in &rows {
            let read =
                read_claimed(row, handler.0, lease).map_err(StoreError::unreadable("claim"))?;
            scan = read.0;
            taken.extend(read.1);
        }
        let fresh = || taken.iter().filter(|t| t.due_at.is_none());
        let due = || taken.iter().filter_map(|t| t.due_at);
        let short = fresh().count() >= limits.fresh;
        if scan.scanned {
            let ids = || fresh().map(|t| t.claim.delivery.0);
            let Scan { xmin, own_xid, .. } = scan;
            watermarks.saw_fresh(
                now,
                Seen {
                    xmin,
                    own_xid,
                    lowest: ids().min(),
                    highest: ids().max(),
                    truncated: short,
                },
            );
            if let (Some(earliest), Some(latest)) = (due().min(), due().max()) {
                watermarks.saw_due(earliest, latest);
            }
        }
        let truncated = Truncated {
            fresh: short && limits.fresh > 0,
            due: limits.due > 0 && due().count() >= limits.due,
        };
        let claimed = self.with_events(taken, handler, filter).await?;
        Ok(Batch {
            claimed,
            truncated,
            more: truncated.fresh || truncated.due,
        })
    }

    /// Events with a body longer than `longest` have no body in the result, and are not filtered.
    async fn events(
        &mut self,
        ids: &[Uuid],
        (first, last): (&Uuid, &Uuid),
        longest: i32,
        filter: Option<&PayloadFilter>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let events = sqlx::query(CLAIMED_EVENTS)
            .bind(ids)
            .bind(first)
            .bind(last)
            .bind(longest)
            .bind(filter.map(PayloadFilter::as_str))
            // Planned for these bounds each time, so that it does not open every partition.
            .persistent(false);
        within(
            self.deadline(),
            "claimed events",
            events.fetch_all(&mut self.inner),
        )
        .await
    }

    async fn with_events(
        &mut self,
        taken: Vec<Row0>,
        handler: (HandlerId, &HandlerName),
        filter: Option<&PayloadFilter>,
    ) -> Result<Vec<Claimed>, StoreError> {
        let ids: Vec<Uuid> = taken.iter().map(|t| t.event_id.0).collect();
        let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
            return Ok(Vec::new());
        };
        let rows = match filter {
            None => self.events(&ids, (first, last), SHORT_BODY, None).await?,
            Some(filter)
                if self
                    .slow_filters
                    .get(&handler.0)
                    .is_some_and(|since| since.elapsed() < SLOW_FOR) =>
            {
                self.events(&ids, (first, last), NO_BODY, Some(filter))
                    .await?
            }
            Some(filter) => {
                self.set_statement_timeout(Some(CLAIM_FILTER_TIMEOUT))
                    .await?;
                let filtered = self
                    .events(&ids, (first, last), SHORT_BODY, Some(filter))
                    .await;
                self.set_statement_timeout(None).await?;
                match filtered {
                    // The filter takes too long for all bodies together, or for one of them. Each
                    // attempt applies it to its own body.
                    Err(error) if error.is_statement_timeout() => {
                        throttled!(warn, handler = %handler.1, "the payload filter is slow; it is applied to one event at a time");
                        self.slow_filters.insert(handler.0, Instant::now());
                        self.events(&ids, (first, last), NO_BODY, Some(filter))
                            .await?
                    }
                    filtered => filtered?,
                }
            }
        };
        let mut events = HashMap::with_capacity(rows.len());
        for row in &rows {
            let (event, long_body, passes) =
                read_event(row).map_err(StoreError::unreadable("claimed events"))?;
            events.insert(event.id, (Arc::new(event), long_body, passes));
        }
        Ok(taken
            .into_iter()
            .map(|t| {
                let found = events.get(&t.event_id);
                Claimed {
                    claim: t.claim,
                    attempts_left: t.attempts_left,
                    lost: t.lost,
                    ordering_key: t.ordering_key,
                    event_id: t.event_id,
                    long_body: found.and_then(|(_, length, _)| *length),
                    passes: found.is_none_or(|(.., passes)| *passes),
                    delivery: found.map(|(event, ..)| Delivery {
                        id: t.claim.delivery,
                        attempt: t.claim.attempt,
                        handler: handler.1.clone(),
                        event: event.clone(),
                        replay: t.replay,
                    }),
                }
            })
            .collect())
    }
}

/// The result of [`event_body`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LongBody {
    /// The body of the event, which the payload filter accepts.
    Passes(Bytes),
    /// The handler's payload filter rejects the event.
    Filtered,
    /// The event no longer exists.
    EventMissing,
    /// The payload filter exceeded its time limit; with the error message.
    TooSlow(String),
}

/// How long the payload filter may take for one long body.
const FILTER_TIMEOUT: &str = "SET LOCAL statement_timeout = '5s'";

/// Fetches one long body, if the payload filter accepts it.
///
/// # Errors
/// If the database cannot be queried.
pub async fn event_body(
    pool: &sqlx::PgPool,
    event: EventId,
    filter: Option<&PayloadFilter>,
) -> Result<LongBody, StoreError> {
    // Planned each time, so that it opens one partition. A generic plan opens every partition, and
    // waits for each.
    let body = sqlx::query_scalar(EVENT_BODY)
        .bind(event.0)
        .bind(filter.map(PayloadFilter::as_str))
        .persistent(false);
    let fetch = async {
        if filter.is_none() {
            return body.fetch_optional(pool).await;
        }
        let mut transaction = pool.begin().await?;
        sqlx::query(FILTER_TIMEOUT)
            .persistent(false)
            .execute(&mut *transaction)
            .await?;
        let body = body.fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(body)
    };
    let body: Option<Option<Vec<u8>>> = match within(POOLED, "event body", fetch).await {
        Err(error) if filter.is_some() && error.is_statement_timeout() => {
            let error = "the payload filter took longer than 5 s for this body; the handler was not run. \
                Simplify the filter, or discard the delivery";
            return Ok(LongBody::TooSlow(error.to_owned()));
        }
        body => body?,
    };
    Ok(match body {
        Some(Some(body)) => LongBody::Passes(body.into()),
        Some(None) => LongBody::Filtered,
        None => LongBody::EventMissing,
    })
}

/// What a claim's statement reports about its scan.
#[derive(Clone, Copy, Default)]
struct Scan {
    xmin: i64,
    own_xid: i64,
    /// False if the handler is paused or the lease has expired: the statement then did not scan for
    /// deliveries.
    scanned: bool,
}

type Read = (Scan, Option<Row0>);

fn read_claimed(row: &PgRow, handler: HandlerId, lease: LeaseId) -> Result<Read, sqlx::Error> {
    let scan = Scan {
        xmin: row.try_get("xmin")?,
        own_xid: row.try_get("own_xid")?,
        scanned: row.try_get("scanned")?,
    };
    let Some(id) = row.try_get::<Option<i64>, _>("id")? else {
        return Ok((scan, None));
    };
    let claim = Claim {
        handler,
        delivery: DeliveryId(id),
        attempt: row.try_get("attempt_number")?,
        lease,
    };
    let claimed = Row0 {
        claim,
        attempts_left: row.try_get("attempts_left")?,
        lost: row.try_get("lost")?,
        ordering_key: row
            .try_get::<Option<&str>, _>("ordering_key")?
            .map(Arc::from),
        event_id: EventId(row.try_get("event_id")?),
        replay: row.try_get("replay_id")?,
        due_at: row.try_get("due_at")?,
    };
    Ok((scan, Some(claimed)))
}

/// Returns the event, the length of a body that was not read, and whether the payload filter
/// accepts the event.
fn read_event(row: &PgRow) -> Result<(Event, Option<u32>, bool), sqlx::Error> {
    let name = |column: &str| row.try_get::<&str, _>(column);
    let invalid = |e: crate::domain::InvalidName| sqlx::Error::Decode(Box::new(e));
    let micros: i64 = row.try_get("received_at")?;
    let body: Option<Vec<u8>> = row.try_get("body")?;
    let length: i32 = row.try_get("length")?;
    let long_body = body.is_none().then(|| length.unsigned_abs());
    // An application may enqueue headers that serde_json cannot parse, such as 128 levels or the
    // number 1e400. One event must not fail the claim: the next claim would take the same event
    // again.
    let headers = row.try_get("headers").unwrap_or_else(|error| {
        throttled!(warn, %error, event = %row.get::<Uuid, _>("id"),
            "the headers of an event cannot be read; it is delivered without them");
        serde_json::json!({})
    });
    let event = Event {
        id: EventId(row.try_get("id")?),
        source: name("source")?.parse().map_err(invalid)?,
        event_type: name("type")?.parse().map_err(invalid)?,
        topic: row.try_get("topic")?,
        idempotency_key: row.try_get("idempotency_key")?,
        conflicts_with: row
            .try_get::<Option<Uuid>, _>("conflicts_with")?
            .map(EventId),
        received_at: SystemTime::UNIX_EPOCH + Duration::from_micros(micros.max(0).unsigned_abs()),
        headers: Arc::new(headers),
        body: body.map(Bytes::from).unwrap_or_default(),
    };
    Ok((event, long_body, row.try_get("passes")?))
}
