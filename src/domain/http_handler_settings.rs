//! How an `http` handler pushes.

use crate::signing::Secret;
use std::{fmt, time::Duration};

/// How an http handler pushes.
#[derive(Clone)]
pub struct HttpHandlerSettings {
    /// Where to: http or https, without user and password. A query is kept out of logs and errors.
    pub url: String,
    /// What signs, as [`crate::signing::standard_webhooks::parse_secret`] reads it: at least one; several while one
    /// is replaced.
    pub secrets: Vec<Secret>,
    /// How long an attempt may take in all.
    pub timeout: Duration,
    /// Whether it may reach addresses that are not public.
    pub allow_private: bool,
    /// Headers sent with every request, as `authorization`. Values may be secret.
    pub headers: Vec<(String, String)>,
    /// Headers of the sender's request that are passed on, such as `stripe-signature`.
    pub forward_headers: Vec<String>,
    /// Statuses (300 to 599) that make a delivery a dead letter at once.
    pub dead_on: Vec<u16>,
}

impl fmt::Debug for HttpHandlerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHandlerSettings")
            .field("timeout", &self.timeout)
            .field("allow_private", &self.allow_private)
            .field(
                "headers",
                &self
                    .headers
                    .iter()
                    .map(|(name, _)| name)
                    .collect::<Vec<_>>(),
            )
            .field("forward_headers", &self.forward_headers)
            .field("dead_on", &self.dead_on)
            .finish_non_exhaustive()
    }
}
