//! Airalo's Partner API beyond its webhooks: a client, what is done where a webhook does not come, and a local Airalo for
//! trying all of it out.

pub mod client;
pub mod emulator;
mod place;
mod reconcile;

pub use place::{PlaceError, place_order};
pub use reconcile::{Account, Finding, Found, Reconciler};
