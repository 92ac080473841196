//! How a source's own API is reached.

use super::secrets::{SecretError, SecretRef, Value};
use crate::sources::airalo::ClientSettings;
use secrecy::SecretString;
use std::{collections::BTreeMap, time::Duration};

/// Airalo's Partner API for one account.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// How often it is looked for results that are overdue.
    pub reconcile_every: Duration,
    /// Where notifications should go, by Airalo's word for their type.
    pub opt_in: BTreeMap<String, String>,
    pub(super) base_url: String,
    pub(super) client_id: Value,
    pub(super) client_secret: SecretRef,
    pub(super) timeout: Duration,
}

impl ApiConfig {
    /// Reads the credentials.
    ///
    /// # Errors
    /// [`SecretError`] for the first that cannot be had.
    pub fn settings(&self) -> Result<ClientSettings, SecretError> {
        Ok(ClientSettings {
            base_url: self.base_url.clone(),
            client_id: self.client_id.read()?,
            client_secret: SecretString::from(self.client_secret.read()?),
            timeout: self.timeout,
        })
    }
}
