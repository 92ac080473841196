//! The access token: requested once, reused until it expires, and requested again if Airalo rejects
//! it.

use super::{Answer, ApiError, Client, Credentials, REPEATS, wait};
use reqwest::{
    Method, Request,
    header::{CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// Airalo's response gives a lifetime of a year, its documentation a day. This keeps to the day.
const LONGEST: Duration = Duration::from_secs(23 * 3600);

/// The current token, if there is one. One call requests it while the others wait, because Airalo
/// issues only three tokens a minute.
#[derive(Debug, Default)]
pub(super) struct Token(Mutex<Option<CachedToken>>);

#[derive(Debug)]
struct CachedToken {
    token: SecretString,
    until: Instant,
    by: Arc<Credentials>,
}

#[derive(Deserialize)]
struct TokenResponse {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Token {
    pub(super) async fn get(&self, client: &Client) -> Result<SecretString, ApiError> {
        let mut cached = self.0.lock().await;
        let by = client.credentials.load_full();
        if let Some(cached) = &*cached
            && cached.until > Instant::now()
            && Arc::ptr_eq(&cached.by, &by)
        {
            return Ok(cached.token.clone());
        }
        let response: TokenResponse = request_token(client, &by).await?.json()?;
        let life = response
            .data
            .expires_in
            .map_or(LONGEST, Duration::from_secs)
            .min(LONGEST);
        let token = SecretString::from(response.data.access_token);
        let until = Instant::now() + life.saturating_sub(Duration::from_secs(60));
        *cached = Some(CachedToken {
            token: token.clone(),
            until,
            by,
        });
        Ok(token)
    }

    /// Drops a rejected token, unless another call has already replaced it.
    pub(super) async fn drop_rejected(&self, token: &SecretString) {
        let mut cached = self.0.lock().await;
        if cached
            .as_ref()
            .is_some_and(|known| known.token.expose_secret() == token.expose_secret())
        {
            *cached = None;
        }
    }
}

/// The `Bearer …` header value, marked as sensitive so that it is never printed.
pub(super) fn bearer(token: &SecretString) -> Result<HeaderValue, ApiError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| ApiError::Unreadable(200))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn request_token(client: &Client, by: &Credentials) -> Result<Answer, ApiError> {
    let mut waits = 0;
    loop {
        let url = client
            .base
            .join("v2/token")
            .map_err(|_| ApiError::Address(client.base.to_string()))?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &by.id)
            .append_pair("client_secret", by.secret.expose_secret())
            .append_pair("grant_type", "client_credentials")
            .finish();
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        *request.body_mut() = Some(form.into());
        match client.send(request).await {
            Err(ApiError::RateLimited(after)) if waits < REPEATS => {
                waits += 1;
                wait(after).await?;
            }
            // Requesting a token places no order, so the outcome of the order is not unknown here.
            Err(ApiError::NoAnswer(why)) => return Err(ApiError::NotSent(why)),
            Err(ApiError::Unavailable(status) | ApiError::Unreadable(status)) => {
                return Err(ApiError::NotSent(format!(
                    "the response to the token request has status {status}"
                )));
            }
            answer => return answer,
        }
    }
}

impl Client {
    /// Requests a token to check the credentials.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`] if Airalo rejects them.
    pub async fn check_credentials(&self) -> Result<(), ApiError> {
        self.token.get(self).await.map(drop)
    }
}
