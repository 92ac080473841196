//! Settings of an `http` handler.

use crate::signing::Secret;
use std::{fmt, time::Duration};

/// Settings of an `http` handler.
#[derive(Clone)]
pub struct HttpHandlerSettings {
    /// The URL to push to: http or https, without user and password. Its query does not appear in
    /// logs and errors.
    pub url: String,
    /// The secrets that sign, as [`crate::signing::standard_webhooks::parse_secret`] reads them: at
    /// least one, and several while one is being replaced.
    pub secrets: Vec<Secret>,
    /// How long an attempt may take in total.
    pub timeout: Duration,
    /// Whether the handler may reach addresses that are not public.
    pub allow_private: bool,
    /// Headers sent with every request, such as `authorization`. Values may be secret.
    pub headers: Vec<(String, String)>,
    /// Headers of the sender's request that are forwarded, such as `stripe-signature`.
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
