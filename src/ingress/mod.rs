//! From a request on the wire to a committed event and a 200.

mod intake;

pub use intake::{Intake, Receipt, Refusal, Verdict};
