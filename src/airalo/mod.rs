//! Airalo's Partner API beyond its webhooks: a client, what is done where a webhook does not come, and a local Airalo for
//! trying all of it out.

pub mod client;
mod order;
mod reconcile;

use crate::domain::rfc3339;
use std::time::SystemTime;

pub use order::{PlaceError, place_order, place_order_again};
pub use reconcile::{Account, Finding, Found, Reconciler};

/// A time as Airalo writes it: `YYYY-MM-DD HH:MM:SS`, UTC without saying so.
pub(crate) fn written(time: SystemTime) -> String {
    let text = rfc3339(time);
    format!("{} {}", &text[..10], &text[11..19])
}
