//! Keeps the order of ordered handlers: which delivery of an ordering key is due, and which wait
//! for it.
//!
//! Deliveries are stored without a key. A sequencer, one at a time, assigns the keys in the order
//! of the delivery ids. The first delivery of a key is due, and the others are parked. After the
//! commit that settles a delivery, the next one of its key is made due. The sequencer makes sure
//! that no transaction settles the last due delivery of a key without seeing the deliveries that
//! are parked behind it.

use super::{Connection, HandlerId, StoreError, connect::POOLED, error::within};
use sqlx::PgPool;

/// How many deliveries get their keys in one transaction.
const BATCH: i64 = 1000;

impl Connection {
    /// Assigns keys to one batch of new deliveries of an ordered handler. Returns whether there may
    /// be more. A batch may end early because of the size of its bodies, so there may be more after
    /// every batch that is not empty.
    ///
    /// # Errors
    /// If the statement fails. Keys of earlier batches stay assigned.
    pub async fn sequence(&mut self, handler: HandlerId) -> Result<bool, StoreError> {
        let sequenced: Option<i64> = within(
            self.deadline(),
            "assign ordering keys",
            sqlx::query_scalar("SELECT hookfast_data.assign_ordering_keys($1, $2)")
                .bind(handler.0)
                .bind(BATCH)
                .fetch_one(&mut self.inner),
        )
        .await?;
        Ok(sequenced.is_some_and(|sequenced| sequenced > 0))
    }
}

/// Makes the next delivery of each key due, unless another one of the key is due. Call it after the
/// commit that settled the delivery before it. It is safe at any time.
///
/// # Errors
/// If the statement fails. [`super::KeySweep`] then finds the deliveries.
pub async fn wake_keys(pool: &PgPool, handler: HandlerId, keys: &[&str]) -> Result<(), StoreError> {
    within(
        POOLED,
        "make ordered deliveries due",
        sqlx::query("SELECT hookfast_data.make_next_due($1, $2)")
            .bind(handler.0)
            .bind(keys)
            .execute(pool),
    )
    .await
    .map(drop)
}
