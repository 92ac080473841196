//! Placing an order so that it is never lost: written down first, sent once, and watched until its result is there.

use super::client::{ApiError, Client, NewOrder, Placed};
use crate::store::{
    DescribedOrder, StoreError, last_order_described, order_is_sent, order_is_sent_again,
    order_is_unknown, order_was_placed, order_was_refused,
};
use sqlx::PgPool;
use std::time::Duration;

/// Why an order was not placed, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It could not be written down first.
    #[error("{0}; nothing was ordered")]
    NotSent(StoreError),
    /// Its description was used before.
    #[error(
        "'{0}' was {1}; nothing was ordered now. Look at that order in hookfast.airalo_orders. A new order takes a description of its own"
    )]
    Used(String, DescribedOrder),
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
/// description. A description that was used before is refused: the order may be there already, as after a crash between
/// placing it and writing that down.
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
    loop {
        let row = order_is_sent(pool, source, &order.description, expected_within).await;
        if let Some(row) = row.map_err(PlaceError::NotSent)? {
            return send(pool, client, row, order).await;
        }
        // None is there if Airalo has refused the other order meanwhile: then this one is the first.
        if let Some(used) = last_order_described(pool, source, &order.description)
            .await
            .map_err(PlaceError::NotSent)?
        {
            return Err(PlaceError::Used(order.description.clone(), used));
        }
    }
}

/// The same also where the description was used before: a second order, which is paid for. Which of them a result belongs
/// to is then told by its request id alone.
///
/// # Errors
/// [`PlaceError`], but [`PlaceError::Used`].
pub async fn place_order_again(
    pool: &PgPool,
    client: &Client,
    source: &str,
    order: &NewOrder,
    expected_within: Duration,
) -> Result<Placed, PlaceError> {
    let row = order_is_sent_again(pool, source, &order.description, expected_within).await;
    send(pool, client, row.map_err(PlaceError::NotSent)?, order).await
}

/// Sends an order that is written down as unknown.
async fn send(
    pool: &PgPool,
    client: &Client,
    row: i64,
    order: &NewOrder,
) -> Result<Placed, PlaceError> {
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
