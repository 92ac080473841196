//! The order of ordered handlers: which delivery of a key is due, and which wait for it.
//!
//! Deliveries come in without a key. A sequencer, one at a time, gives them theirs in the order of their ids; the first
//! of a key is due, the others are parked. Whoever ends a delivery wakes the next of its key after the commit; the
//! sequencer sees to it that nobody ends the last one without seeing what is parked behind it.

use super::{Connection, HandlerId, StoreError, connect::POOLED, error::within};
use sqlx::PgPool;

/// How many deliveries get their keys in one transaction.
const BATCH: i64 = 1000;

impl Connection {
    /// Gives keys to what came in for an ordered handler, as far as one batch goes; answers whether there may be more. A
    /// batch may end early because of the bytes of its bodies, so there may be more after every one that is not empty.
    ///
    /// # Errors
    /// Where a statement failed; what was given stays given.
    pub async fn sequence(&mut self, handler: HandlerId) -> Result<bool, StoreError> {
        let sequenced: Option<i64> = within(
            self.deadline(),
            "sequence",
            sqlx::query_scalar("SELECT hookfast_data.sequence($1, $2)")
                .bind(handler.0)
                .bind(BATCH)
                .fetch_one(&mut self.inner),
        )
        .await?;
        Ok(sequenced.is_some_and(|sequenced| sequenced > 0))
    }
}

/// Makes the next delivery of each key due, unless one of it is. To be called after the commit that ended the one
/// before; safe at any time.
///
/// # Errors
/// Where the statement failed; then [`wake_all_keys`] finds them.
pub async fn wake_keys(pool: &PgPool, handler: HandlerId, keys: &[&str]) -> Result<(), StoreError> {
    within(POOLED, "wake", sqlx::query("SELECT hookfast_data.wake($1, $2)").bind(handler.0).bind(keys).execute(pool))
        .await
        .map(drop)
}

/// The net under [`wake_keys`], and what a change of the order leaves behind; answers with how many were due.
///
/// # Errors
/// Where the statement failed.
pub async fn wake_all_keys(pool: &PgPool, handler: HandlerId) -> Result<i64, StoreError> {
    within(POOLED, "wake all", sqlx::query_scalar("SELECT hookfast_data.wake_all($1)").bind(handler.0).fetch_one(pool))
        .await
}

/// The same for every handler that clients pull from: no worker sweeps theirs.
///
/// # Errors
/// Where the statement failed.
pub async fn wake_pulled_keys(pool: &PgPool) -> Result<(), StoreError> {
    within(
        POOLED,
        "wake pulled",
        sqlx::query("SELECT hookfast_data.wake_all(id) FROM hookfast_data.handlers WHERE kind = 'pull'").execute(pool),
    )
    .await
    .map(drop)
}
