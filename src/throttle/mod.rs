//! Limits the effects of a lasting fault: pauses between retries, and limits on log lines.

mod backoff;
mod log_throttle;
mod token_bucket;

pub(crate) use backoff::Backoff;
pub(crate) use log_throttle::{LogThrottle, throttled};
pub(crate) use token_bucket::TokenBucket;
