//! From a request on the wire to a committed event and a 200.
//!
//! | request | answer |
//! |---|---|
//! | `POST /webhooks/{source}[/{topic}]`, verified | 200 `{"status":"stored\|duplicate\|conflict","event_id":"…"}` after the commit |
//! | the same with a wrong signature, where the operator keeps such requests | 200 `{"status":"quarantined","event_id":null}` after the commit |
//! | the same where a sender asks whether the address is right (a handshake), verified | 200 with the text it asks for; nothing is stored |
//! | `HEAD` of the same | 200, without signature and database |
//! | anything else | problem+json: 401, 404, 405, 408, 413, or 503 with Retry-After for our own trouble |
//! | what is not a request | 400, 414 or 431 without a body |
//!
//! A slash at the end of the path changes nothing.

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

/// The connections of an ingress besides those of its writers, by purpose.
pub(crate) const CONNECTIONS: [(&str, u32); 2] = [
    ("quarantined requests", 1),
    ("requests that are verified again", 2),
];
