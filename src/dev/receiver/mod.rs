//! The webhook receiver of `hookfast listen`, for development and tests. It verifies the signature
//! and reports each webhook, and it can be switched to fail. It does what any receiver should do.

mod mode;
mod notice;

pub use mode::{Mode, ModeSwitch};
pub use notice::{Notice, Received};

use crate::handlers::push::request;
use crate::signing::{
    Secret,
    standard_webhooks::{self, Unverified},
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode},
};
use notice::Accepted;
use parking_lot::Mutex;
use std::{io, sync::Arc, time::SystemTime};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The largest body that is accepted.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// A webhook receiver with its secrets and its observer.
pub struct Receiver {
    secrets: Vec<Secret>,
    mode: ModeSwitch,
    accepted: Mutex<Accepted>,
    on_notice: Box<dyn Fn(Notice) + Send + Sync>,
}

impl Receiver {
    /// Makes a receiver that accepts signatures of these secrets. It calls `on_notice` for every
    /// webhook, also for a forged one, before it sends the response. `on_notice` should not block.
    pub fn new(secrets: Vec<Secret>, on_notice: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self {
            secrets,
            mode: ModeSwitch::new(),
            accepted: Mutex::default(),
            on_notice: Box::new(on_notice),
        }
    }

    /// Returns the switch between working and failing, which can be used while the receiver runs.
    pub fn mode(&self) -> ModeSwitch {
        self.mode.clone()
    }

    /// Serves requests on any path until `stop` is cancelled. Then it ends hanging requests with
    /// 503, and returns when all requests have ended.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let state = (Arc::new(self), stop.clone());
        let app = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(state);
        axum::serve(listener, app)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    }

    fn receive(&self, headers: &HeaderMap, body: Bytes, mode: Mode) -> Result<(), Unverified> {
        let verified = standard_webhooks::verify(headers, &body, &self.secrets, SystemTime::now());
        let received = match verified {
            Ok(_) => self.note(headers, body, mode),
            Err(why) => {
                (self.on_notice)(Notice::Refused(why));
                return Err(why);
            }
        };
        (self.on_notice)(Notice::Received(received));
        Ok(())
    }

    fn note(&self, headers: &HeaderMap, body: Bytes, mode: Mode) -> Received {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let id = text(standard_webhooks::ID);
        // The lock guards only a set, which a panic cannot leave half changed.
        let mut accepted = self.accepted.lock();
        let repeat = if mode == Mode::Ok {
            !accepted.insert(&id)
        } else {
            accepted.contains(&id)
        };
        Received {
            id,
            delivery: text(request::DELIVERY),
            attempt: text(request::ATTEMPT).parse().unwrap_or_default(),
            source: text(request::SOURCE),
            event_type: text(request::TYPE),
            body,
            repeat,
            mode,
        }
    }
}

async fn answer(
    State((receiver, stop)): State<(Arc<Receiver>, CancellationToken)>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    if method != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "send webhooks by POST\n");
    }
    let mode = receiver.mode.get();
    if receiver.receive(&headers, body, mode).is_err() {
        return (StatusCode::UNAUTHORIZED, "the signature was not verified\n");
    }
    match mode {
        Mode::Ok => (StatusCode::OK, "ok\n"),
        Mode::Fail(status) => (status, "this receiver is set to fail\n"),
        Mode::Hang => {
            tokio::select! {
                () = receiver.mode.changed_from(Mode::Hang) => {}
                () = stop.cancelled() => {}
            }
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "this receiver is set to hang\n",
            )
        }
    }
}
