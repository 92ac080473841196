//! The parts of a request that pages use: session, theme, query.

use super::{Console, problem::PageError};
use crate::store::{AsVisitor, Credential, SecretHash, Work};
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, Uri, header, request::Parts},
};
use sha2::{Digest as _, Sha256};
use std::convert::Infallible;
use url::form_urlencoded;

/// The name of the cookie. Browsers accept the longer one only over TLS, from the host itself.
const COOKIE: &str = "hookfast";
const SECURE_COOKIE: &str = "__Host-hookfast";

/// A request for a page.
pub(super) struct PageRequest {
    pub(super) console: Console,
    pub(super) uri: Uri,
    pub(super) theme: Option<&'static str>,
    host: String,
    credential: Option<Credential>,
}

impl FromRequestParts<Console> for PageRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &Console) -> Result<Self, Infallible> {
        let State(console) = State::<Console>::from_request_parts(parts, state).await?;
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default().to_owned();
        let name = if console.shared.settings.is_secure(&host) {
            SECURE_COOKIE
        } else {
            COOKIE
        };
        let credential = match console.proxy {
            // The proxy has said who it is; a session is not needed, and not looked at.
            Some(_) => parts.extensions.get().cloned(),
            None => cookie(&parts.headers, name).map(|key| Credential::Session(hash(&key))),
        };
        Ok(Self {
            credential,
            theme: match cookie(&parts.headers, "hookfast-theme").as_deref() {
                Some("light") => Some("light"),
                Some("dark") => Some("dark"),
                _ => None,
            },
            uri: parts.uri.clone(),
            host,
            console,
        })
    }
}

impl PageRequest {
    /// Begins a transaction with the rights of the visitor.
    pub(super) async fn visit(&self, work: Work) -> Result<AsVisitor, PageError> {
        let Some(credential) = &self.credential else {
            return Err(PageError::login(&self.uri));
        };
        let visited = self.console.shared.visitors.visit(credential, work).await;
        visited.map_err(|error| PageError::of(error, &self.uri))
    }

    /// The value of a parameter of the query; `None` if it is absent or empty.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes())
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    }

    pub(super) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// The header that gives the browser the key of a session, or takes it away.
    pub(super) fn set_cookie(&self, key: Option<&str>) -> String {
        let (name, secure) = match self.console.shared.settings.is_secure(&self.host) {
            true => (SECURE_COOKIE, "; Secure"),
            false => (COOKIE, ""),
        };
        // Lax: a link from a pager arrives logged in. Only GET arrives so, and GET changes nothing.
        let age = if key.is_some() { 14 * 24 * 3600 } else { 0 };
        let key = key.unwrap_or_default();
        format!("{name}={key}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}")
    }
}

/// Secrets are hashed here, so that the database's log has none as a parameter.
pub(super) fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}
