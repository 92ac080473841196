//! Stores expected orders of Airalo: orders whose result has not arrived.

use super::{SourceId, StoreError, clock::interval_millis, connect::POOLED, error::within};
use crate::domain::rfc3339;
use sqlx::{
    PgPool, Postgres, Row,
    postgres::{PgArguments, PgRow},
};
use std::{
    fmt,
    time::{Duration, SystemTime},
};

type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

const TAKE_DUE: &str = "SELECT id, source, request_id, description, floor(extract(epoch FROM placed_at) * 1000000)::bigint AS placed_at \
    FROM hookfast_data.airalo_claim_due_checks($1, $2)";
const ALL_DUE: &str = "UPDATE hookfast_data.airalo_expected e SET check_at = clock_timestamp() FROM hookfast_data.sources s \
    WHERE s.id = e.source_id AND s.name = $1 AND e.check_at IS NOT NULL";

/// An order with this description is either in the table of expected orders or, if its result has
/// arrived, in the table of results. Both are searched.
const DESCRIBED: &str = "SELECT request_id, floor(extract(epoch FROM at) * 1000000)::bigint AS at_micros FROM (\
    SELECT e.request_id, e.placed_at AS at FROM hookfast_data.airalo_expected e JOIN hookfast_data.sources s ON s.id = e.source_id \
    WHERE s.name = $1 AND e.description = $2 \
    UNION ALL SELECT o.request_id, coalesce(o.ordered_at, o.received_at) FROM hookfast_data.airalo_orders o \
    JOIN hookfast_data.sources s ON s.id = o.source_id WHERE s.name = $1 AND o.description = $2) used ORDER BY at DESC LIMIT 1";

const OTHERS: &str = "SELECT o.order_id FROM hookfast_data.airalo_expected e \
    JOIN hookfast_data.airalo_expected x ON x.source_id = e.source_id AND x.description = e.description AND x.id <> e.id \
    JOIN hookfast_data.airalo_orders o ON o.source_id = x.source_id AND o.request_id = x.request_id \
    WHERE e.id = $1 AND o.order_id IS NOT NULL";

/// An earlier order with the same description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedOrder {
    /// The request id that Airalo answered with; `None` if it is not known.
    pub request_id: Option<String>,
    /// When the order was placed. If that is not known, when its event was received.
    pub at: SystemTime,
}

impl fmt::Display for DescribedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ordered at {} ", rfc3339(self.at))?;
        match &self.request_id {
            Some(id) => write!(f, "(request {id})"),
            None => f.write_str("(Airalo's response is not known)"),
        }
    }
}

/// Returns the newest order of a source with this description, whether its result is still
/// expected, has arrived, or is no longer searched.
///
/// # Errors
/// If the database cannot be queried.
pub async fn last_order_described(
    pool: &PgPool,
    source: &str,
    description: &str,
) -> Result<Option<DescribedOrder>, StoreError> {
    let find = async {
        let row = sqlx::query(DESCRIBED)
            .bind(source)
            .bind(description)
            .fetch_optional(pool)
            .await?;
        let read = |row: PgRow| {
            let micros: i64 = row.try_get("at_micros")?;
            let at = SystemTime::UNIX_EPOCH + Duration::from_micros(micros.max(0).unsigned_abs());
            Ok(DescribedOrder {
                request_id: row.try_get("request_id")?,
                at,
            })
        };
        row.map(read).transpose()
    };
    within(POOLED, "find orders with a description", find).await
}

/// An expected or unknown order that is due for a check in Airalo's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedOrder {
    /// The id of its row in `airalo_expected`.
    pub id: i64,
    /// The source whose account placed the order.
    pub source: String,
    /// The request id that Airalo answered with; `None` for an unknown order.
    pub request_id: Option<String>,
    /// The description by which the order is found in Airalo's list.
    pub description: String,
    /// When the order was placed.
    pub placed_at: SystemTime,
}

/// Claims up to `most` orders of these sources that are due for a check. Each is due again after 15
/// minutes, unless [`schedule_order_check`] sets another time.
///
/// # Errors
/// If the database cannot be queried.
pub async fn take_due_orders(
    pool: &PgPool,
    sources: &[SourceId],
    most: i64,
) -> Result<Vec<ExpectedOrder>, StoreError> {
    let sources: Vec<_> = sources.iter().map(|source| source.0).collect();
    let statement = sqlx::query(TAKE_DUE)
        .bind(sources)
        .bind(most)
        .fetch_all(pool);
    let rows = within(POOLED, "list overdue orders", statement).await?;
    let read = |row: &PgRow| {
        let micros: i64 = row.try_get("placed_at")?;
        Ok(ExpectedOrder {
            id: row.try_get("id")?,
            source: row.try_get("source")?,
            request_id: row.try_get("request_id")?,
            description: row.try_get("description")?,
            placed_at: SystemTime::UNIX_EPOCH + Duration::from_micros(micros.max(0).unsigned_abs()),
        })
    };
    rows.iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(StoreError::unreadable("list overdue orders"))
}

/// Schedules the next check of an order. The pause doubles with every check, up to six hours. The
/// checks end two weeks after the result was expected.
///
/// # Errors
/// If the statement fails.
pub async fn schedule_order_check(
    pool: &PgPool,
    order: i64,
    pause: Duration,
) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "SELECT hookfast_data.airalo_schedule_check($1, $2 * interval '1 millisecond')",
    )
    .bind(order);
    let statement = statement.bind(interval_millis(pause)).execute(pool);
    within(POOLED, "schedule the next check of an order", statement)
        .await
        .map(drop)
}

/// Makes every order of a source that is not settled due for a check now, even if it is not
/// overdue.
///
/// # Errors
/// If the database cannot be queried.
pub async fn make_orders_due(pool: &PgPool, source: &str) -> Result<u64, StoreError> {
    let made = within(
        POOLED,
        "schedule checks of orders now",
        sqlx::query(ALL_DUE).bind(source).execute(pool),
    )
    .await;
    made.map(|made| made.rows_affected())
}

/// Records that an order was searched and not found. The first time, this raises an alert.
///
/// # Errors
/// If the database cannot be queried.
pub async fn order_is_missing(pool: &PgPool, order: i64, reason: &str) -> Result<(), StoreError> {
    let statement = sqlx::query("SELECT hookfast_data.airalo_mark_missing($1, $2)")
        .bind(order)
        .bind(reason);
    within(POOLED, "report an overdue order", statement.execute(pool))
        .await
        .map(drop)
}

/// Records which request an order is the result of, if its event did not contain the request id.
///
/// # Errors
/// If the database cannot be queried.
pub async fn order_is_of_request(
    pool: &PgPool,
    source: SourceId,
    request_id: &str,
    order_id: &str,
) -> Result<(), StoreError> {
    let statement = sqlx::query("SELECT hookfast_data.airalo_link($1, $2, $3)");
    let linking = statement
        .bind(source.0)
        .bind(request_id)
        .bind(order_id)
        .execute(pool);
    within(POOLED, "record the request of an order", linking)
        .await
        .map(drop)
}

/// Returns Airalo's ids of the orders that are results of other requests with the same description.
///
/// # Errors
/// If the database cannot be queried.
pub async fn orders_of_other_requests(
    pool: &PgPool,
    order: i64,
) -> Result<Vec<String>, StoreError> {
    let statement = sqlx::query_scalar(OTHERS).bind(order).fetch_all(pool);
    within(POOLED, "list orders of other requests", statement).await
}

/// Records an order that is about to be sent. It is unknown until [`order_was_placed`] or
/// [`order_was_refused`]. Returns `None`, and records nothing, if its description was used before.
///
/// # Errors
/// If the database cannot be queried, or has no such source.
pub async fn order_is_sent(
    pool: &PgPool,
    source: &str,
    description: &str,
    expected_within: Duration,
) -> Result<Option<i64>, StoreError> {
    let placing = place(source, description, expected_within, false);
    within(
        POOLED,
        "record an order",
        placing.try_map(|row: PgRow| row.try_get(0)).fetch_one(pool),
    )
    .await
}

/// Like [`order_is_sent`], but records the order even if its description was used before.
///
/// # Errors
/// If the database cannot be queried, has no such source, or has an unknown order with this
/// description.
pub async fn order_is_sent_again(
    pool: &PgPool,
    source: &str,
    description: &str,
    expected_within: Duration,
) -> Result<i64, StoreError> {
    let placing = place(source, description, expected_within, true);
    within(
        POOLED,
        "record an order",
        placing.try_map(|row: PgRow| row.try_get(0)).fetch_one(pool),
    )
    .await
}

fn place<'q>(
    source: &'q str,
    description: &'q str,
    expected_within: Duration,
    again: bool,
) -> Query<'q> {
    sqlx::query(
        "SELECT hookfast_data.airalo_record_sending($1, $2, $3 * interval '1 millisecond', $4)",
    )
    .bind(source)
    .bind(description)
    .bind(interval_millis(expected_within))
    .bind(again)
}

/// Records that Airalo accepted an order.
///
/// # Errors
/// If the database cannot be queried.
pub async fn order_was_placed(
    pool: &PgPool,
    order: i64,
    request_id: &str,
) -> Result<(), StoreError> {
    let statement = sqlx::query("SELECT hookfast_data.airalo_record_placed($1, $2)")
        .bind(order)
        .bind(request_id);
    within(
        POOLED,
        "record that an order was accepted",
        statement.execute(pool),
    )
    .await
    .map(drop)
}

/// Deletes an expected order that Airalo did not accept.
///
/// # Errors
/// If the database cannot be queried.
pub async fn order_was_refused(pool: &PgPool, order: i64) -> Result<(), StoreError> {
    let statement =
        sqlx::query("DELETE FROM hookfast_data.airalo_expected WHERE id = $1").bind(order);
    within(
        POOLED,
        "record that an order was rejected",
        statement.execute(pool),
    )
    .await
    .map(drop)
}

/// Records why it is not known whether Airalo accepted an order.
///
/// # Errors
/// If the database cannot be queried.
pub async fn order_is_unknown(pool: &PgPool, order: i64, why: &str) -> Result<(), StoreError> {
    let statement =
        sqlx::query("UPDATE hookfast_data.airalo_expected SET unknown_why = $2 WHERE id = $1")
            .bind(order)
            .bind(why);
    within(
        POOLED,
        "record that an order is unknown",
        statement.execute(pool),
    )
    .await
    .map(drop)
}
