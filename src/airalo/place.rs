//! Placing an order so that it is never lost: written down first, sent once, and watched until its result is there.

use super::client::{ApiError, Client, NewOrder, Placed};
use crate::store::{StoreError, order_is_sent, order_is_unknown, order_was_placed, order_was_refused};
use sqlx::PgPool;
use std::time::Duration;

/// Why an order was not placed, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It could not be written down first.
    #[error("{0}; nothing was ordered")]
    NotSent(StoreError),
    /// Airalo did not take it.
    #[error(transparent)]
    Refused(ApiError),
    /// Airalo may have taken it.
    #[error(
        "{0}. The order '{1}' is unknown: it was not sent again, and is not to be. It is looked for in Airalo's list of \
         orders; see hookfast.airalo_orders"
    )]
    Unknown(ApiError, String),
    /// Airalo took it, and that could not be written down.
    #[error(
        "Airalo took the order as {1}, and that could not be written down ({0}). It is found by its description; do not order again"
    )]
    NotWritten(StoreError, String),
}

/// Places an order, once. Its result is expected within that time; when it does not come, it is looked for by the order's
/// description, which should be no other order's.
///
/// # Errors
/// [`PlaceError`]; after [`PlaceError::Unknown`] only reconciliation or a person can tell.
pub async fn place_order(
    pool: &PgPool,
    client: &Client,
    source: &str,
    order: &NewOrder,
    expected_within: Duration,
) -> Result<Placed, PlaceError> {
    let row = order_is_sent(pool, source, &order.description, expected_within).await.map_err(PlaceError::NotSent)?;
    match client.order_async(order).await {
        Ok(placed) => match order_was_placed(pool, row, &placed.request_id).await {
            Ok(()) => Ok(placed),
            Err(error) => Err(PlaceError::NotWritten(error, placed.request_id)),
        },
        Err(error) if error.is_unknown() => {
            // What is there already says as much, in other words.
            let _ = order_is_unknown(pool, row, &error.to_string()).await;
            Err(PlaceError::Unknown(error, order.description.clone()))
        }
        Err(error) => {
            // Left as unknown it would only be looked for, and not found.
            let _ = order_was_refused(pool, row).await;
            Err(PlaceError::Refused(error))
        }
    }
}
