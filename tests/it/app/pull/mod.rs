//! Clients that claim and complete through SQL.

mod batches;
mod claims;
mod leases;
mod ordered;
mod settling;

use super::{Running, source, subscription};
use crate::support::airalo::order;
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{OnDeadLetter, Order};
use sqlx::{PgExecutor, PgPool, Row};

async fn running(database: &crate::support::postgres::Database, orders: u64) -> Running {
    let running = Running::start(database, |builder| {
        let mut shop = subscription("shop");
        shop.types = vec!["airalo.order.*".parse().expect("a pattern")];
        builder.source(source(Reject)).pull_handler(shop)
    })
    .await;
    for i in 0..orders {
        assert_eq!(
            running.post(&order(&format!("order-{i:019}"), i)).await.0,
            200
        );
    }
    running
}

/// An ordered handler of the type `step`, whose events have a `key`.
async fn in_order_of_steps(database: &crate::support::postgres::Database) -> Running {
    Running::start(database, |builder| {
        let mut shop = subscription("shop");
        shop.types = vec!["step".parse().expect("a pattern")];
        shop.policy.order = Some(Order {
            by: "/key".parse().expect("a path"),
            on_dead: OnDeadLetter::Skip,
        });
        builder
            .source(source(Reject))
            .sql_source("steps".parse().expect("a name"))
            .pull_handler(shop)
    })
    .await
}

/// The columns of a claim that these tests read: lease, delivery, attempt.
async fn claim(pool: &PgPool, batch: i32) -> Vec<(i64, i64, i32)> {
    let rows = sqlx::query("SELECT * FROM hookfast.claim('shop', 'a test', $1)")
        .bind(batch)
        .fetch_all(pool)
        .await;
    let read = |row: &sqlx::postgres::PgRow| {
        (
            row.get("lease_id"),
            row.get("delivery_id"),
            row.get("attempt_number"),
        )
    };
    rows.expect("a claim").iter().map(read).collect()
}

async fn complete(
    to: impl PgExecutor<'_>,
    (lease, delivery, _): (i64, i64, i32),
) -> Result<(), String> {
    let done = sqlx::query("SELECT hookfast.complete($1, $2)")
        .bind(lease)
        .bind(delivery)
        .execute(to)
        .await;
    done.map(drop).map_err(code)
}

pub(super) fn code(error: sqlx::Error) -> String {
    error
        .into_database_error()
        .and_then(|error| error.code().map(|code| code.into_owned()))
        .expect("the server's")
}

async fn expire(running: &Running) {
    running
        .execute(
            "UPDATE hookfast_data.leases SET expires_at = clock_timestamp() - interval '1 minute' WHERE kind = 'pull'",
        )
        .await;
}
