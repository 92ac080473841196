//! The HTTP client: it checks addresses, uses no proxies and no redirects, and copes with pooled
//! connections that the receiver has closed.

use super::{guard::GuardedResolver, settings::InvalidHttpHandler};
use reqwest::{Client, Request, Response, Url};
use rustls_platform_verifier::BuilderVerifierExt;
use std::{cell::Cell, error::Error, io, sync::Arc, time::Duration};
use tower::util::MapResponseLayer;

/// Shorter than the idle timeout of usual servers (Node and uvicorn: 5 s), so that the server
/// rarely closes a connection first.
const IDLE: Duration = Duration::from_secs(4);

/// How often a request is sent again because its pooled connection turned out to be closed.
const RESENDS: usize = 3;

tokio::task_local! {
    /// Whether this attempt has opened a connection.
    static CONNECTED: Cell<bool>;
}

pub(super) fn build(
    url: &Url,
    allow_private: bool,
    connect_timeout: Duration,
) -> Result<Client, InvalidHttpHandler> {
    Client::builder()
        .tls_backend_preconfigured(tls(url)?)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(IDLE)
        .dns_resolver(GuardedResolver { allow_private })
        // A connect is polled by the attempt that needs it, and so it sets that attempt's flag.
        .connector_layer(MapResponseLayer::new(|connection| {
            let _ = CONNECTED.try_with(|connected| connected.set(true));
            connection
        }))
        .build()
        .map_err(|error| InvalidHttpHandler::Tls(innermost(&error.without_url()).to_string()))
}

/// TLS with ring. The system's certificates are loaded only for https, so that plain http works on
/// a machine without any.
fn tls(url: &Url) -> Result<rustls::ClientConfig, InvalidHttpHandler> {
    let invalid = |error: rustls::Error| InvalidHttpHandler::Tls(error.to_string());
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(invalid)?;
    let config = if url.scheme() == "https" {
        config
            .with_platform_verifier()
            .map_err(invalid)?
            .with_no_client_auth()
    } else {
        config
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    };
    Ok(config)
}

/// Sends a request until the response's head arrives or a failure counts.
///
/// The receiver may close a pooled connection while the request is on its way. That proves nothing
/// about the receiver, so the request is sent again at once. On a connection that this attempt
/// opened it is a failure. (The client itself repeats only requests that were not written yet.) So
/// a receiver may see a request twice with one attempt number, but never two at a time.
pub(super) async fn send(
    client: &Client,
    request: impl Fn() -> Request,
) -> Result<Response, reqwest::Error> {
    CONNECTED
        .scope(Cell::new(false), async {
            let mut resends = 0;
            loop {
                match client.execute(request()).await {
                    Err(error)
                        if resends < RESENDS && is_broken(&error) && !CONNECTED.with(Cell::get) =>
                    {
                        resends += 1
                    }
                    answer => return answer,
                }
            }
        })
        .await
}

/// Whether the connection ended during the request.
pub(super) fn is_broken(error: &reqwest::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let broken = |cause: &(dyn Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let incomplete = cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(|e| e.is_incomplete_message() || e.is_closed());
        incomplete
            || matches!(
                io,
                Some(ConnectionReset | BrokenPipe | ConnectionAborted | UnexpectedEof)
            )
    };
    !error.is_connect() && causes(error).any(broken)
}

/// An error and its causes, outermost first.
pub(super) fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |error| {
        (**error).source()
    })
}

/// The innermost cause. It names the problem, and it never holds the URL.
pub(super) fn innermost(error: &reqwest::Error) -> &(dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}
