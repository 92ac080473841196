//! The settings of a handler.

use super::secrets::{SecretError, SecretRefs, Value};
use crate::domain::{HandlerName, HandlerPolicy, HttpHandlerSettings, SourceName, TypePattern};

/// A `[handlers.NAME]` section, checked.
#[derive(Debug)]
pub struct HandlerConfig {
    /// The name of the section.
    pub name: HandlerName,
    /// The event types of the subscription.
    pub types: Vec<TypePattern>,
    /// The sources of the subscription; `None` means all sources.
    pub sources: Option<Vec<SourceName>>,
    /// Attempts, timeouts, order and limits of the handler's deliveries.
    pub policy: HandlerPolicy,
    /// An endpoint, a Postgres function, Airalo's projection or clients that pull.
    pub kind: HandlerKind,
}

/// The kind of a handler, with its settings.
#[derive(Debug)]
pub enum HandlerKind {
    /// An HTTP endpoint.
    Http(HttpConfig),
    /// A Postgres function, by its name as in SQL.
    Sql(String),
    /// The projection of Airalo's notifications: `hookfast.airalo_orders` and its companions.
    Airalo,
    /// Clients that claim and complete deliveries through SQL.
    Pull,
}

/// The settings of an HTTP endpoint.
#[derive(Debug)]
pub struct HttpConfig {
    /// References to the secrets that sign deliveries.
    pub secrets: SecretRefs,
    pub(super) url: String,
    pub(super) allow_private: bool,
    pub(super) headers: Vec<(String, Value)>,
    pub(super) forward_headers: Vec<String>,
    pub(super) dead_on: Vec<u16>,
}

impl HttpConfig {
    /// Reads the secrets and returns the settings of the handler.
    ///
    /// # Errors
    /// If a secret cannot be read or is invalid.
    pub fn settings(&self, policy: &HandlerPolicy) -> Result<HttpHandlerSettings, SecretError> {
        Ok(HttpHandlerSettings {
            url: self.url.clone(),
            secrets: self.secrets.read_standard_webhooks()?,
            timeout: policy.timeout,
            allow_private: self.allow_private,
            headers: self.read_headers()?,
            forward_headers: self.forward_headers.clone(),
            dead_on: self.dead_on.clone(),
        })
    }

    /// Reads the headers that every request has.
    ///
    /// # Errors
    /// [`SecretError`] for the first header whose value cannot be read.
    pub fn read_headers(&self) -> Result<Vec<(String, String)>, SecretError> {
        self.headers
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.read()?)))
            .collect()
    }
}
