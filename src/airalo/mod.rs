//! Airalo's Partner API: a client, placing orders, and reconciliation of orders whose webhook is
//! missing.

pub mod client;
mod order;
mod reconcile;

use crate::domain::rfc3339;
use std::time::SystemTime;

pub use crate::store::DescribedOrder;
pub use order::{PlaceError, place_order, place_order_again};
pub use reconcile::{Account, Finding, Found, Reconciler};

/// A time in Airalo's format, `YYYY-MM-DD HH:MM:SS`. Airalo does not write the time zone, which is
/// UTC.
pub(crate) fn written(time: SystemTime) -> String {
    let text = rfc3339(time);
    format!("{} {}", &text[..10], &text[11..19])
}
