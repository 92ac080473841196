//! The section `[console.proxy]`.

use super::secrets::{SecretError, SecretRefs};
use crate::domain::{IpRange, ProxySettings, RoleName};
use std::net::SocketAddr;

/// A reverse proxy that tells the console who its visitors are.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// Where the console listens for the proxy.
    pub listen: SocketAddr,
    pub(super) addresses: Vec<IpRange>,
    pub(super) secrets: SecretRefs,
    pub(super) secret_header: String,
    pub(super) user_header: String,
    pub(super) groups_header: String,
    pub(super) groups: Vec<(String, RoleName)>,
}

impl ProxyConfig {
    /// Reads the secrets.
    ///
    /// # Errors
    /// [`SecretError`] for the first secret that cannot be read.
    pub fn settings(&self) -> Result<ProxySettings, SecretError> {
        Ok(ProxySettings {
            addresses: self.addresses.clone(),
            secrets: self.secrets.read()?,
            secret_header: self.secret_header.clone(),
            user_header: self.user_header.clone(),
            groups_header: self.groups_header.clone(),
            groups: self.groups.clone(),
        })
    }
}
