//! The `http` handler: pushes the event's exact bytes to a URL, signed by the Standard Webhooks scheme. At least once.
//!
//! 2xx is delivered; 410 pauses the handler; statuses in `dead_on` are dead letters; everything else, time-outs and
//! broken connections are tried again by the policy, and not before what `Retry-After` says. No usable answer and a 5xx
//! count for the circuit breaker.

mod answer;
mod client;
mod error;
mod guard;
pub(crate) mod request;
mod settings;

pub use guard::AddressRefused;
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

/// See [`super::plain_client`].
pub(super) fn plain_client(
    url: &str,
    connect_timeout: Duration,
) -> Result<Client, InvalidHttpHandler> {
    client::build(&url.parse()?, true, connect_timeout)
}

/// The longest wait for a connection; the attempt's own time-out may be shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Pushes deliveries to one URL. Connections are kept and used again; one handler serves many attempts at a time.
pub struct HttpHandler {
    client: Client,
    target: Target,
    credentials: ArcSwap<Credentials>,
    forwarded: Vec<HeaderName>,
    dead_on: Vec<u16>,
    timeout: Duration,
    connect_timeout: Duration,
}

/// What may be replaced while the handler runs.
struct Credentials {
    /// What signs.
    secrets: Vec<Secret>,
    /// The operator's headers.
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
    /// [`InvalidHttpHandler`] says which setting cannot work and what to write instead.
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

    /// Signs with other secrets and sends other headers of the operator from the next attempt on.
    ///
    /// # Errors
    /// [`InvalidHttpHandler`]; then the old ones stay.
    pub fn replace_credentials(
        &self,
        secrets: Vec<Secret>,
        headers: &[(String, String)],
    ) -> Result<(), InvalidHttpHandler> {
        self.credentials
            .store(Arc::new(Credentials::new(secrets, headers)?));
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
