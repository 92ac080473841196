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
            sqlx::query_scalar("SELECT hookfast_data.assign_ordering_keys($1, $2)")
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
/// Where the statement failed; then [`super::KeySweep`] finds them.
pub async fn wake_keys(pool: &PgPool, handler: HandlerId, keys: &[&str]) -> Result<(), StoreError> {
    within(
        POOLED,
        "wake",
        sqlx::query("SELECT hookfast_data.make_next_due($1, $2)")
            .bind(handler.0)
            .bind(keys)
            .execute(pool),
    )
    .await
    .map(drop)
}
