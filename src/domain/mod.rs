//! The words of the system as types. Pure: imports nothing of ours, touches no clock, socket or database.

mod breaker;
mod delivery;
mod event;
mod fields;
mod filter;
mod identity;
mod names;
mod ordering;
mod outcome;
mod pattern;
mod pointer;
mod rate;
mod receipt;
mod retention;
mod retry;
mod rfc3339;
mod roles;
mod text;

pub use breaker::{Breaker, InvalidBreaker};
pub use delivery::{Delivery, DeliveryId};
pub use event::{Event, EventId, Origin};
pub use fields::PayloadFields;
pub use filter::{InvalidFilter, PayloadFilter};
pub use identity::{Fingerprint, IdempotencyKey, Identity};
pub use names::{EventType, HandlerName, InvalidName, RoleName, SourceName};
pub use ordering::{OnDead, Order};
pub use outcome::{Outcome, Report};
pub use pattern::{InvalidPattern, TypePattern};
pub use pointer::{InvalidPointer, Pointer};
pub use rate::{InvalidRate, Rate};
pub use receipt::{Receipt, Verdict};
pub use retention::Retention;
pub use retry::{InvalidRetry, RetryPolicy};
pub(crate) use rfc3339::rfc3339;
pub use roles::RoleNames;
pub use text::StorableText;
