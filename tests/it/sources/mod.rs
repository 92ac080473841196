//! Senders other than Airalo: their samples in the configuration, against what their own libraries sign.

mod samples;
mod standard_webhooks;
pub(crate) mod vectors;
mod wire;
