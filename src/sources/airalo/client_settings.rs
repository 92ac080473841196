//! Settings of the Partner API's client: its address and credentials.

use secrecy::SecretString;
use std::time::Duration;

/// The address of the production API.
pub const BASE_URL: &str = "https://partners-api.airalo.com";

/// The settings of a client of the Partner API.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The base of all URLs of the API.
    pub base_url: String,
    /// The client id of the partner.
    pub client_id: String,
    /// The client secret of the partner. It also signs webhooks.
    pub client_secret: SecretString,
    /// How long to wait for a response.
    pub timeout: Duration,
}
