//! The settings of a source's own API.

use super::secrets::{SecretError, SecretRef, Value};
use crate::sources::airalo::ClientSettings;
use secrecy::SecretString;
use std::{collections::BTreeMap, time::Duration};

/// The settings of Airalo's Partner API for one account.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// How often Airalo's list is searched for overdue results.
    pub reconcile_every: Duration,
    /// The URL or e-mail address for each type of notification, by Airalo's name of the type.
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
    /// [`SecretError`] for the first credential that cannot be read.
    pub fn settings(&self) -> Result<ClientSettings, SecretError> {
        Ok(ClientSettings {
            base_url: self.base_url.clone(),
            client_id: self.client_id.read()?,
            client_secret: SecretString::from(self.client_secret.read()?),
            timeout: self.timeout,
        })
    }
}
