//! What keeps a lasting fault from being repeated without end: pauses between retries, and limits on log lines.

mod backoff;
mod log_throttle;

pub(crate) use backoff::Backoff;
pub(crate) use log_throttle::{LogThrottle, throttled};
