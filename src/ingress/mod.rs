//! From a request on the wire to a committed event and a 200.

mod group_commit;
mod headers;
mod intake;

pub use crate::domain::{Receipt, Verdict};
pub use group_commit::{GroupCommit, WriterContext, Writers, group_commit};
pub use intake::{Intake, Refusal};
