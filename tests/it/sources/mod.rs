//! Senders other than Airalo: their samples in the configuration, against signatures of their own
//! libraries.

mod samples;
mod standard_webhooks;
pub(crate) mod vectors;
mod wire;
