//! Airalo's Partner API, as far as orders and notifications go.
//!
//! Calls that only ask, and settings, are repeated where Airalo says when (429 with `Retry-After`), and once with a new
//! token where the old one is refused. An order is never repeated: whoever places it again may pay twice.

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

/// The longest answer that is read: a page of orders with fifty SIMs each is some megabytes.
const LONGEST: usize = 32 * 1024 * 1024;

/// How long a call that may be repeated waits where Airalo asks for it, and how often.
const LONGEST_WAIT: Duration = Duration::from_secs(65);
const REPEATS: usize = 2;

/// A client of the Partner API. Its copies share a token.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
    credentials: ArcSwap<Credentials>,
    token: Token,
}

/// What gets a token.
#[derive(Debug)]
struct Credentials {
    id: String,
    secret: SecretString,
}

/// Whether a call may be made again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// It changes nothing, or the same once more.
    Freely,
    /// It costs money.
    Never,
}

/// What is called with what.
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

/// What came back, of a call that was done.
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
    /// A client. Nothing is sent yet.
    ///
    /// # Errors
    /// An address that is none, or one by which the secret would go out in clear text.
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

    /// Calls with other credentials from now on: the next call gets a token by them.
    pub fn replace_credentials(&self, id: String, secret: SecretString) {
        self.credentials.store(Arc::new(Credentials { id, secret }));
    }

    async fn call(&self, call: Call, repeat: Repeat) -> Result<Answer, ApiError> {
        let (mut waits, mut renewed) = (0, false);
        loop {
            let token = self.token.get(self).await?;
            match self.once(&call, Some(&token)).await {
                Err(ApiError::Unauthorized) => {
                    self.token.refused(&token).await;
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
                    "it is longer than {LONGEST} bytes"
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

/// Whether what is sent there stays on this machine.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// As long as Airalo asks for, where that is not too long.
async fn wait(after: Option<Duration>) -> Result<(), ApiError> {
    let pause = after.unwrap_or(Duration::from_secs(20));
    if pause > LONGEST_WAIT {
        return Err(ApiError::RateLimited(after));
    }
    throttled!(
        info,
        seconds = pause.as_secs(),
        "Airalo takes no more of these calls for now; waiting"
    );
    tokio::time::sleep(pause).await;
    Ok(())
}

/// The last cause says most.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
