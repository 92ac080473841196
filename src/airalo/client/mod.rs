//! A client of Airalo's Partner API, limited to orders and notifications.
//!
//! The client repeats reads and settings if Airalo asks it to wait (429 with `Retry-After`), and
//! once with a new token if the token was rejected. It never repeats an order, because a repeated
//! order may be paid for twice.

mod error;
mod notifications;
mod orders;
mod simulator;
mod token;

pub use error::ApiError;
pub use notifications::Setting;
pub use orders::{ListedOrder, NewOrder, Outcome, Placed};
pub use simulator::{Simulated, UnknownSimulated};

use crate::handlers::plain_client;
use crate::sources::airalo::ClientSettings;
use crate::throttle::throttled;
use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use reqwest::{Method, Request, Url, header};
use secrecy::SecretString;
use std::{net::IpAddr, sync::Arc, time::Duration};
use token::Token;
use url::Host;

/// The longest response that is read. A page of orders with fifty SIMs each takes some megabytes.
const LONGEST: usize = 32 * 1024 * 1024;

/// The longest wait that Airalo may ask for, and the number of waits, for a call that may be
/// repeated.
const LONGEST_WAIT: Duration = Duration::from_secs(65);
const REPEATS: usize = 2;

/// A client of the Partner API. Share one between tasks, so that they share its access token.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
    credentials: ArcSwap<Credentials>,
    token: Token,
}

#[derive(Debug)]
struct Credentials {
    id: String,
    secret: SecretString,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// The call changes nothing, or has the same effect if repeated.
    Freely,
    /// The call costs money.
    Never,
}

struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<serde_json::Value>,
}

impl Call {
    fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            body: None,
        }
    }

    fn post(path: &str, body: serde_json::Value) -> Self {
        Self {
            method: Method::POST,
            path: path.to_owned(),
            query: Vec::new(),
            body: Some(body),
        }
    }
}

/// The response to a call that succeeded.
struct Answer {
    status: u16,
    body: Bytes,
}

impl Answer {
    fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|_| ApiError::Unreadable(self.status))
    }
}

impl Client {
    /// Makes a client. It sends nothing yet.
    ///
    /// # Errors
    /// If the base URL is invalid, or if the secret would be sent in clear text.
    pub fn new(settings: ClientSettings) -> Result<Self, ApiError> {
        let ClientSettings {
            base_url,
            client_id: id,
            client_secret: secret,
            timeout,
        } = settings;
        let no_address = || ApiError::Address(base_url.clone());
        let mut base: Url = base_url.parse().map_err(|_| no_address())?;
        match base.scheme() {
            "https" => {}
            "http" if is_this_machine(&base) => {}
            "http" => return Err(ApiError::ClearText(base_url)),
            _ => return Err(no_address()),
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let http =
            plain_client(base.as_str(), Duration::from_secs(10)).map_err(|_| no_address())?;
        let credentials = ArcSwap::from_pointee(Credentials { id, secret });
        Ok(Self {
            http,
            base,
            timeout,
            credentials,
            token: Token::default(),
        })
    }

    /// Replaces the credentials. The next call gets a new token with them.
    pub fn replace_credentials(&self, id: String, secret: SecretString) {
        self.credentials.store(Arc::new(Credentials { id, secret }));
    }

    async fn call(&self, call: Call, repeat: Repeat) -> Result<Answer, ApiError> {
        let (mut waits, mut renewed) = (0, false);
        loop {
            let token = self.token.get(self).await?;
            match self.once(&call, Some(&token)).await {
                Err(ApiError::Unauthorized) => {
                    self.token.drop_rejected(&token).await;
                    if renewed || repeat == Repeat::Never {
                        return Err(ApiError::Unauthorized);
                    }
                    renewed = true;
                }
                Err(ApiError::RateLimited(after))
                    if repeat == Repeat::Freely && waits < REPEATS =>
                {
                    waits += 1;
                    wait(after).await?;
                }
                answer => return answer,
            }
        }
    }

    async fn once(&self, call: &Call, token: Option<&SecretString>) -> Result<Answer, ApiError> {
        let mut url = self
            .base
            .join(&call.path)
            .map_err(|_| ApiError::Address(call.path.clone()))?;
        if !call.query.is_empty() {
            url.query_pairs_mut()
                .extend_pairs(call.query.iter().map(|(name, value)| (*name, value)));
        }
        let mut request = Request::new(call.method.clone(), url);
        if let Some(token) = token {
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, token::bearer(token)?);
        }
        if let Some(body) = &call.body {
            request.headers_mut().insert(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static("application/json"),
            );
            *request.body_mut() = Some(body.to_string().into());
        }
        self.send(request).await
    }

    async fn send(&self, mut request: Request) -> Result<Answer, ApiError> {
        *request.timeout_mut() = Some(self.timeout);
        request.headers_mut().insert(
            header::ACCEPT,
            header::HeaderValue::from_static("application/json"),
        );
        let why = |error: reqwest::Error| cause(&error.without_url());
        let sent = self.http.execute(request).await;
        let mut response =
            sent.map_err(|error| match error.is_connect() || error.is_builder() {
                true => ApiError::NotSent(why(error)),
                false => ApiError::NoAnswer(why(error)),
            })?;
        let status = response.status().as_u16();
        let mut body = BytesMut::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| ApiError::NoAnswer(why(error)))?
        {
            if body.len() + chunk.len() > LONGEST {
                return Err(ApiError::NoAnswer(format!(
                    "the response is longer than {LONGEST} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        if (200..300).contains(&status) {
            return Ok(Answer {
                status,
                body: body.freeze(),
            });
        }
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        Err(ApiError::read(status, retry_after, &body))
    }
}

/// Whether requests to this URL stay on this machine.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Waits as long as Airalo asks for, unless that is longer than [`LONGEST_WAIT`].
async fn wait(after: Option<Duration>) -> Result<(), ApiError> {
    let pause = after.unwrap_or(Duration::from_secs(20));
    if pause > LONGEST_WAIT {
        return Err(ApiError::RateLimited(after));
    }
    throttled!(
        info,
        seconds = pause.as_secs(),
        "Airalo's rate limit is reached; waiting"
    );
    tokio::time::sleep(pause).await;
    Ok(())
}

/// The innermost cause names the problem most precisely.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it timed out".to_owned();
    }
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
