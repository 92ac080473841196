//! The `http` handler: pushes the event's exact bytes to a URL, signed by the Standard Webhooks scheme. At least once.
//!
//! 2xx is delivered; 410 pauses the handler; statuses in `dead_on` are dead letters; everything else, time-outs and
//! broken connections are tried again by the policy, and not before what `Retry-After` says. No usable answer and a 5xx
//! count for the circuit breaker.

mod answer;
mod client;
mod guard;
pub(crate) mod request;
mod settings;
mod trouble;

pub use guard::AddressRefused;
pub use settings::{HttpHandlerSettings, InvalidHttpHandler};

use super::{Attempt, BoxFuture};
use crate::domain::{Delivery, Outcome, Report, StorableText};
use crate::signing::Secret;
use arc_swap::ArcSwap;
use reqwest::{Client, Method, Request, Response, header::HeaderMap};
use settings::Target;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, timeout_at};

/// See [`super::plain_client`].
pub(super) fn plain_client(url: &str, connect_timeout: Duration) -> Result<Client, InvalidHttpHandler> {
    client::build(&url.parse()?, true, connect_timeout)
}

/// The longest wait for a connection; the attempt's own time-out may be shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest error text, in bytes.
const LONGEST_ERROR: usize = 2048;

/// Pushes deliveries to one URL. Connections are kept and used again; one handler serves many attempts at a time.
pub struct HttpHandler {
    client: Client,
    target: Target,
    secrets: ArcSwap<Vec<Secret>>,
    extra: HeaderMap,
    dead_on: Vec<u16>,
    timeout: Duration,
    connect_timeout: Duration,
}

impl HttpHandler {
    /// Checks the settings and makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`InvalidHttpHandler`] says which setting cannot work and what to write instead.
    pub fn new(settings: HttpHandlerSettings) -> Result<Self, InvalidHttpHandler> {
        let HttpHandlerSettings { url, secrets, timeout, allow_private, headers, dead_on } = settings;
        let target = Target::parse(&url, allow_private)?;
        if secrets.is_empty() {
            return Err(InvalidHttpHandler::NoSecret);
        }
        if timeout.is_zero() {
            return Err(InvalidHttpHandler::Timeout);
        }
        if let Some(status) = dead_on.iter().find(|status| !(300..=599).contains(*status)) {
            return Err(InvalidHttpHandler::DeadOn(*status));
        }
        let extra = settings::extra_headers(&headers)?;
        let connect_timeout = CONNECT_TIMEOUT.min(timeout);
        let client = client::build(&target.url, allow_private, connect_timeout)?;
        let secrets = ArcSwap::from_pointee(secrets);
        Ok(Self { client, target, secrets, extra, dead_on, timeout, connect_timeout })
    }

    /// Signs with other secrets from the next attempt on.
    ///
    /// # Errors
    /// [`InvalidHttpHandler::NoSecret`]; then the old ones stay.
    pub fn replace_secrets(&self, secrets: Vec<Secret>) -> Result<(), InvalidHttpHandler> {
        if secrets.is_empty() {
            return Err(InvalidHttpHandler::NoSecret);
        }
        self.secrets.store(Arc::new(secrets));
        Ok(())
    }

    /// Where it pushes, as `host:port`: all of the URL that may be shown.
    pub fn target(&self) -> &str {
        &self.target.name
    }

    /// Makes one attempt. It ends within the time-out, whatever the receiver does, and never fails: trouble is an
    /// outcome, with a text for people that holds neither the URL's path and query nor a header's value.
    pub async fn deliver(&self, delivery: &Delivery) -> Report {
        let deadline = Instant::now() + self.timeout;
        let trouble = match timeout_at(deadline, self.send(delivery)).await {
            Ok(Ok(response)) => return answer::read(response, &self.dead_on, deadline).await,
            Ok(Err(error)) => trouble::describe(&error, &self.target.name, self.connect_timeout),
            Err(_) => {
                format!("timed out after {}: no answer from {}", trouble::seconds(self.timeout), self.target.name)
            }
        };
        Outcome::unavailable(StorableText::new(&trouble, LONGEST_ERROR).into_string()).into()
    }

    async fn send(&self, delivery: &Delivery) -> Result<Response, reqwest::Error> {
        let headers = request::headers(delivery, &self.secrets.load(), &self.extra, SystemTime::now());
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
        f.debug_struct("HttpHandler").field("target", &self.target.name).finish_non_exhaustive()
    }
}
