//! A handler as it is configured.

use super::secrets::{SecretError, SecretRefs, Value};
use crate::domain::{HandlerName, HandlerPolicy, HttpHandlerSettings, SourceName, TypePattern};

/// A handler.
#[derive(Debug)]
pub struct HandlerConfig {
    /// Its name.
    pub name: HandlerName,
    /// The types it subscribes to.
    pub types: Vec<TypePattern>,
    /// From which sources; `None` is all.
    pub sources: Option<Vec<SourceName>>,
    /// How it is run.
    pub policy: HandlerPolicy,
    /// Who processes, and how it is reached.
    pub kind: HandlerKind,
}

/// Who processes.
#[derive(Debug)]
pub enum HandlerKind {
    /// A server that is pushed to.
    Http(HttpConfig),
    /// A Postgres function, by its name as in SQL.
    Sql(String),
    /// What is kept of Airalo's notifications: `hookfast.airalo_orders` and its companions.
    Airalo,
    /// Clients that claim and complete through SQL.
    Pull,
}

/// A server that is pushed to.
#[derive(Debug)]
pub struct HttpConfig {
    /// Where the secrets are that sign.
    pub secrets: SecretRefs,
    pub(super) url: String,
    pub(super) allow_private: bool,
    pub(super) headers: Vec<(String, Value)>,
    pub(super) forward_headers: Vec<String>,
    pub(super) dead_on: Vec<u16>,
}

impl HttpConfig {
    /// Reads the secrets, and makes the settings of the handler.
    ///
    /// # Errors
    /// A secret that cannot be read, or is none.
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

    /// Reads the headers that are sent with every request.
    ///
    /// # Errors
    /// [`SecretError`] for the first that cannot be had.
    pub fn read_headers(&self) -> Result<Vec<(String, String)>, SecretError> {
        self.headers
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.read()?)))
            .collect()
    }
}
