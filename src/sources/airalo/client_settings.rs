//! The address of the Partner API, and who calls it.

use secrecy::SecretString;
use std::time::Duration;

/// Where the production API is.
pub const BASE_URL: &str = "https://partners-api.airalo.com";

/// Who calls, and where.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The base of all addresses.
    pub base_url: String,
    /// The partner.
    pub client_id: String,
    /// Its secret; also what signs webhooks.
    pub client_secret: SecretString,
    /// How long an answer may take.
    pub timeout: Duration,
}
