//! Placing an order without losing it: the order is recorded first and sent once, and its result is
//! expected until it arrives.

use super::client::{ApiError, Client, NewOrder, Placed};
use crate::store::{
    DescribedOrder, StoreError, last_order_described, order_is_sent, order_is_sent_again,
    order_is_unknown, order_was_placed, order_was_refused,
};
use sqlx::PgPool;
use std::time::Duration;

/// Why an order was not placed, or may not have been placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The order could not be recorded, so it was not sent.
    #[error("{0}; nothing was ordered")]
    NotSent(StoreError),
    /// An earlier order has the same description.
    #[error(
        "'{0}' was {1}; nothing was ordered now. See that order in hookfast.airalo_orders. A new order needs its own description"
    )]
    Used(String, DescribedOrder),
    /// Airalo rejected the order.
    #[error(transparent)]
    Rejected(ApiError),
    /// Airalo may have accepted the order.
    #[error(
        "{0}. The order '{1}' is unknown: it was not sent again, and must not be. Hookfast looks for it in Airalo's list of \
         orders; see hookfast.airalo_orders"
    )]
    Unknown(ApiError, String),
    /// Airalo accepted the order, but the acceptance could not be recorded.
    #[error(
        "Airalo accepted the order as {1}, but that could not be recorded ({0}). Hookfast finds it by its description; do not order again"
    )]
    NotWritten(StoreError, String),
}

/// Places an order once, and expects its result within `expected_within`. If the result does not
/// arrive in time, reconciliation looks for the order by its description. A description that was
/// used before is rejected, because that order may exist already, for example after a crash between
/// placing the order and recording the acceptance.
///
/// # Errors
/// [`PlaceError`]. After [`PlaceError::Unknown`] only reconciliation or an operator can find out
/// whether the order exists.
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
        // There is none if Airalo has rejected the other order in the meantime. Then this order is
        // the first with its description.
        if let Some(used) = last_order_described(pool, source, &order.description)
            .await
            .map_err(PlaceError::NotSent)?
        {
            return Err(PlaceError::Used(order.description.clone(), used));
        }
    }
}

/// Places an order even if its description was used before: a second order, which is paid for. Then
/// only the request id shows which of the orders a result belongs to.
///
/// # Errors
/// [`PlaceError`] except [`PlaceError::Used`].
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

/// Sends an order that is recorded with the state unknown.
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
            // The order is already recorded as unknown. Only the message would be more precise, so
            // an error here is ignored.
            let _ = order_is_unknown(pool, row, &error.to_string()).await;
            Err(PlaceError::Unknown(error, order.description.clone()))
        }
        Err(error) => {
            // If the record stayed, reconciliation would look for an order that does not exist.
            let _ = order_was_refused(pool, row).await;
            Err(PlaceError::Rejected(error))
        }
    }
}
