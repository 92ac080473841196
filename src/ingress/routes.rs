//! The addresses and methods, and what happens at each.

use super::{
    Evidence, Intake, Observer, RejectedRequest, Source, Sources,
    answer::{Answer, is_kept},
    body::{self, Unread},
    limits::{Limits, Room, memory_of},
};
use crate::sources::{Verified, VerifiedRequest};
use crate::throttle::throttled;
use axum::{
    Router,
    extract::{Path, Request, State, rejection::PathRejection},
    http::Method,
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Instant, SystemTime},
};

/// What every request works with.
pub(super) struct Shared<I, E> {
    pub(super) sources: Arc<Sources>,
    pub(super) intake: I,
    pub(super) evidence: E,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) limits: Limits,
    pub(super) bodies: Arc<Room>,
    pub(super) headers: Arc<Room>,
}

/// The last parts of the URL, percent-decoded.
#[derive(serde::Deserialize)]
struct Address {
    source: String,
    topic: Option<String>,
}

pub(super) fn router<I: Intake, E: Evidence>(shared: Arc<Shared<I, E>>) -> Router {
    let hook = post(receive::<I, E>).head(receive::<I, E>).fallback(receive::<I, E>);
    Router::new()
        .route("/webhooks/{source}", hook.clone())
        .route("/webhooks/{source}/{topic}", hook)
        .fallback(elsewhere::<I, E>)
        .with_state(shared)
}

/// Any request to the address of a hook: one place that answers, counts and logs.
async fn receive<I: Intake, E: Evidence>(
    State(shared): State<Arc<Shared<I, E>>>,
    address: Result<Path<Address>, PathRejection>,
    request: Request,
) -> Response {
    let started = Instant::now();
    // A rejection here is a percent-encoding that is not UTF-8: no source has such a name.
    let address = address.map(|Path(address)| address).ok();
    let Some((source, topic)) = address.and_then(|address| Some((shared.sources.get(&address.source)?, address.topic)))
    else {
        return shared.answer(None, started, Answer::unknown_source());
    };
    let answer = match *request.method() {
        Method::HEAD => Answer::here(),
        Method::POST => {
            // A source's kind may be the embedding program's own code: a panic there must still be an answer.
            let taken = AssertUnwindSafe(shared.take(source, topic.as_deref(), request)).catch_unwind();
            taken.await.unwrap_or_else(|_| Answer::panicked())
        }
        _ => Answer::wrong_method(),
    };
    shared.answer(Some(source), started, answer)
}

async fn elsewhere<I: Intake, E: Evidence>(State(shared): State<Arc<Shared<I, E>>>) -> Response {
    shared.answer(None, Instant::now(), Answer::unknown_path())
}

impl<I: Intake, E: Evidence> Shared<I, E> {
    /// A webhook: read, verify, commit, and only then a 200.
    async fn take(&self, source: &Source, topic: Option<&str>, request: Request) -> Answer {
        let (parts, body) = request.into_parts();
        let mut headers_share = self.headers.share();
        if headers_share.resize(memory_of(&parts.headers)).is_err() {
            return Unread::NoRoom.into();
        }
        let body = match body::read(body, &self.limits, &self.bodies).await {
            Ok(body) => body,
            Err(unread) => return unread.into(),
        };
        let (headers, secrets) = (parts.headers, source.secrets());
        let verified = VerifiedRequest::verify(source.kind(), &secrets, SystemTime::now(), topic, &headers, &body);
        match verified {
            Ok(Verified::Handshake(handshake)) => Answer::handshake(handshake),
            Ok(Verified::Event(request)) => {
                // The request has copies of its own; these would double its headers while it waits.
                drop((headers, body));
                match self.intake.submit(source.name().clone(), request).await {
                    Ok(receipt) => Answer::committed(receipt),
                    Err(refusal) => refusal.into(),
                }
            }
            Err(reason) => {
                let rejected = RejectedRequest::new(source, reason, topic, headers, body);
                if !is_kept(source.on_invalid_signature(), reason) {
                    self.evidence.offer(rejected);
                    return Answer::unverified(reason);
                }
                match self.evidence.keep(rejected).await {
                    Ok(()) => Answer::quarantined(),
                    Err(refusal) => refusal.into(),
                }
            }
        }
    }

    /// Counts and logs the answer: one line a request, never a body, a header or a query string.
    fn answer(&self, source: Option<&Source>, started: Instant, answer: Answer) -> Response {
        let (status, verdict, elapsed) = (answer.status(), answer.verdict, started.elapsed());
        let source = source.map_or("-", |source| source.name().as_str());
        self.observer.request(source, status.as_u16(), verdict, elapsed);
        let milliseconds = elapsed.as_secs_f64() * 1000.0;
        tracing::debug!(source, status = status.as_u16(), verdict, milliseconds, "request answered");
        if status.is_server_error() {
            throttled!(warn, source, verdict, "a request was answered 503; its sender is asked to repeat it");
        }
        answer.into_response()
    }
}
