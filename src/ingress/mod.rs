//! Receives webhooks over HTTP: verifies each request, commits it as an event, and answers 200
//! after the commit.
//!
//! - `POST /webhooks/{source}[/{topic}]`, verified: 200 with `{"status":"stored","event_id":"…"}`
//!   after the commit. The status can also be `duplicate` or `conflict`.
//! - The same with a wrong signature, if the operator keeps such requests: 200 with
//!   `{"status":"quarantined","event_id":null}` after the commit.
//! - The same as a handshake (the sender checks the address), verified: 200 with the text that the
//!   sender expects. Nothing is stored.
//! - `HEAD` of the same address: 200, without a check of the signature or the database.
//! - Any other request: `problem+json` with 401, 404, 405, 408 or 413, or 503 with Retry-After for
//!   a failure on Hookfast's side.
//! - Bytes that are not an HTTP request: 400, 414 or 431 without a body.
//!
//! A slash at the end of the path is ignored.

mod address;
mod answer;
mod body;
mod evidence;
mod group_commit;
mod headers;
mod intake;
mod intake_health;
mod limits;
mod memory;
mod observer;
mod quarantine;
mod refusals;
mod reverify;
mod routes;
mod serve;
mod sources;
mod writer;

pub use crate::domain::{Receipt, Verdict};
pub use evidence::{Evidence, RejectedRequest};
pub use group_commit::{GroupCommit, group_commit};
pub use intake::{Intake, Refusal};
pub(crate) use intake_health::{INTAKE, NOT_CONNECTED};
pub use observer::Observer;
pub use quarantine::{Quarantine, QuarantineWriter, quarantine};
pub(crate) use reverify::Reverifier;
pub use serve::Ingress;
pub use sources::{NoSecret, Source, Sources};
pub use writer::{WriterContext, Writers};

/// The connections of an ingress, by purpose. Those of its writers are not included.
pub(crate) const CONNECTIONS: [(&str, u32); 2] = [
    ("quarantined requests", 1),
    ("requests that are verified again", 2),
];
