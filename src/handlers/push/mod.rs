//! The `http` handler: pushes the event's exact bytes to a URL, signed by the Standard Webhooks
//! scheme, at least once.
//!
//! 2xx is delivered. 410 pauses the handler. Statuses in `dead_on` make dead letters. Everything
//! else, also timeouts and broken connections, is retried by the policy, but not before the time in
//! `Retry-After`. A 5xx and a missing or unusable response count for the circuit breaker.

mod answer;
mod client;
mod error;
mod guard;
pub(crate) mod request;
mod settings;

pub use guard::AddressBlocked;
pub use settings::InvalidHttpHandler;

use super::{Attempt, BoxFuture};
use crate::domain::{Delivery, HttpHandlerSettings, Outcome, Report, StorableText};
use crate::signing::Secret;
use arc_swap::ArcSwap;
use reqwest::{
    Client, Method, Request, Response,
    header::{HeaderMap, HeaderName},
};
use settings::Target;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, timeout_at};

/// Implements [`super::plain_client`].
pub(super) fn plain_client(
    url: &str,
    connect_timeout: Duration,
) -> Result<Client, InvalidHttpHandler> {
    client::build(&url.parse()?, true, connect_timeout)
}

/// The longest wait for a connection. The timeout of the attempt may be shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Pushes deliveries to one URL. It reuses connections, and it makes many attempts at a time.
pub struct HttpHandler {
    client: Client,
    target: Target,
    credentials: ArcSwap<Credentials>,
    forwarded: Vec<HeaderName>,
    dead_on: Vec<u16>,
    timeout: Duration,
    connect_timeout: Duration,
}

/// The settings that can be replaced while the handler runs.
struct Credentials {
    secrets: Vec<Secret>,
    /// The headers of the operator.
    headers: HeaderMap,
}

impl Credentials {
    fn new(secrets: Vec<Secret>, headers: &[(String, String)]) -> Result<Self, InvalidHttpHandler> {
        if secrets.is_empty() {
            return Err(InvalidHttpHandler::NoSecret);
        }
        Ok(Self {
            secrets,
            headers: settings::extra_headers(headers)?,
        })
    }
}

impl HttpHandler {
    /// Checks the settings and makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`InvalidHttpHandler`] names the invalid setting and how to correct it.
    pub fn new(settings: HttpHandlerSettings) -> Result<Self, InvalidHttpHandler> {
        let HttpHandlerSettings {
            url,
            secrets,
            timeout,
            allow_private,
            headers,
            forward_headers,
            dead_on,
        } = settings;
        let target = Target::parse(&url, allow_private)?;
        let credentials = Credentials::new(secrets, &headers)?;
        if timeout.is_zero() {
            return Err(InvalidHttpHandler::Timeout);
        }
        if let Some(status) = dead_on.iter().find(|status| !(300..=599).contains(*status)) {
            return Err(InvalidHttpHandler::DeadOn(*status));
        }
        let forwarded = settings::forwarded_headers(&forward_headers, &credentials.headers)?;
        let connect_timeout = CONNECT_TIMEOUT.min(timeout);
        let client = client::build(&target.url, allow_private, connect_timeout)?;
        let credentials = ArcSwap::from_pointee(credentials);
        Ok(Self {
            client,
            target,
            credentials,
            forwarded,
            dead_on,
            timeout,
            connect_timeout,
        })
    }

    /// Replaces the secrets and the operator's headers, from the next attempt on.
    ///
    /// # Errors
    /// [`InvalidHttpHandler`]. Then the old ones stay.
    pub fn replace_credentials(
        &self,
        secrets: Vec<Secret>,
        headers: &[(String, String)],
    ) -> Result<(), InvalidHttpHandler> {
        self.credentials
            .store(Arc::new(Credentials::new(secrets, headers)?));
        Ok(())
    }

    /// The target as `host:port`, which is all of the URL that may be shown.
    pub fn target(&self) -> &str {
        &self.target.name
    }

    /// Makes one attempt. It ends within the timeout, whatever the receiver does. It never fails: a
    /// failure is an outcome with a message that holds neither the URL's path and query nor a
    /// header's value.
    pub async fn deliver(&self, delivery: &Delivery) -> Report {
        let deadline = Instant::now() + self.timeout;
        let (kind, error) = match timeout_at(deadline, self.send(delivery)).await {
            Ok(Ok(response)) => return answer::read(response, &self.dead_on, deadline).await,
            Ok(Err(error)) => error::describe(&error, &self.target.name, self.connect_timeout),
            Err(_) => {
                return Outcome::timed_out(
                    self.timeout,
                    &format!("no answer from {}", self.target.name),
                )
                .into();
            }
        };
        Outcome::unavailable(StorableText::error(&error).into_string())
            .of_kind(kind)
            .into()
    }

    async fn send(&self, delivery: &Delivery) -> Result<Response, reqwest::Error> {
        let headers = request::headers(
            delivery,
            &self.credentials.load(),
            &self.forwarded,
            SystemTime::now(),
        );
        let request = || {
            let mut request = Request::new(Method::POST, self.target.url.clone());
            *request.headers_mut() = headers.clone();
            *request.body_mut() = Some(delivery.event.body.clone().into());
            request
        };
        client::send(&self.client, request).await
    }
}

impl Attempt for HttpHandler {
    fn attempt<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Report> {
        Box::pin(self.deliver(delivery))
    }
}

impl fmt::Debug for HttpHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHandler")
            .field("target", &self.target.name)
            .finish_non_exhaustive()
    }
}
