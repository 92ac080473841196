//! The HTTP routes of the ingress, and what each request does.

use super::{
    Evidence, Intake, Observer, RejectedRequest, Source, Sources,
    address::Address,
    answer::{Answer, is_kept},
    body::{self, Unread},
    limits::memory_of,
    memory::MemoryBudget,
    refusals::Refusals,
};
use crate::domain::IngressLimits;
use crate::http_server::Rivals;
use crate::sources::{Verified, VerifiedRequest};
use crate::throttle::throttled;
use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use parking_lot::Mutex;
use std::{
    collections::HashSet,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Instant, SystemTime},
};

/// The state that all requests share.
pub(super) struct Shared<I, E> {
    pub(super) sources: Arc<Sources>,
    pub(super) intake: I,
    pub(super) evidence: E,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) limits: IngressLimits,
    pub(super) bodies: Arc<MemoryBudget>,
    pub(super) headers: Arc<MemoryBudget>,
    pub(super) refusals: Refusals,
    pub(super) not_json_warned: Mutex<HashSet<String>>,
}

pub(super) fn router<I: Intake, E: Evidence>(shared: Arc<Shared<I, E>>) -> Router {
    Router::new().fallback(receive::<I, E>).with_state(shared)
}

/// Handles every request. All responses are counted and logged here.
async fn receive<I: Intake, E: Evidence>(
    State(shared): State<Arc<Shared<I, E>>>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let (source, topic) = match Address::parse(request.uri().path(), &shared.sources) {
        Address::Hook(source, topic) => (source, topic),
        Address::BadTopic(source) => {
            return shared.answer(Some(source), started, Answer::bad_topic());
        }
        Address::UnknownSource => return shared.answer(None, started, Answer::unknown_source()),
        Address::UnknownPath => return shared.answer(None, started, Answer::unknown_path()),
    };
    let answer = match *request.method() {
        Method::HEAD => Answer::here(),
        Method::POST => {
            // A source's kind may be code of the embedding program. A panic there must still
            // produce a response.
            let taken =
                AssertUnwindSafe(shared.take(source, topic.as_deref(), request)).catch_unwind();
            taken.await.unwrap_or_else(|_| Answer::panicked())
        }
        _ => Answer::wrong_method(),
    };
    shared.answer(Some(source), started, answer)
}

impl<I: Intake, E: Evidence> Shared<I, E> {
    /// Handles a webhook: reads, verifies and commits it, and only then answers 200.
    async fn take(&self, source: &Source, topic: Option<&str>, request: Request) -> Answer {
        let (parts, body) = request.into_parts();
        let mut memory_for_headers = self.headers.reserve();
        if memory_for_headers
            .resize(memory_of(&parts.headers))
            .is_err()
        {
            return Unread::NoRoom.into();
        }
        let rivals = parts.extensions.get::<Rivals>();
        let body = match body::read(body, &self.limits, &self.bodies, rivals).await {
            Ok(body) => body,
            Err(unread) => return unread.into(),
        };
        let (headers, secrets) = (parts.headers, source.secrets());
        let verified = VerifiedRequest::verify(
            source.kind(),
            &secrets,
            SystemTime::now(),
            topic,
            &headers,
            &body,
        );
        match verified {
            Ok(Verified::Handshake(handshake)) => Answer::handshake(handshake),
            Ok(Verified::Event(request)) => {
                if !body::may_be_json(&body) {
                    self.not_json(source);
                }
                // The verified request has its own copies. Keeping these would double the memory of
                // its headers while it waits.
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
                // It is answered 200, so `answer` does not log it as refused.
                self.refusals.warn(source.name().as_str(), reason.as_str());
                match self.evidence.keep(rejected).await {
                    Ok(()) => Answer::quarantined(),
                    Err(refusal) => refusal.into(),
                }
            }
        }
    }

    /// Counts a body that is not JSON, and logs the first one of each source: some senders use
    /// another form by default.
    fn not_json(&self, source: &Source) {
        let name = source.name().as_str();
        self.observer.not_json(name);
        let mut warned = self.not_json_warned.lock();
        if warned.insert(name.to_owned()) {
            tracing::warn!(
                source = name,
                "a verified body is not JSON, so its payload is null and its type is less exact; choose application/json in \
                 the sender's settings, if it has that choice"
            );
        }
    }

    /// Counts and logs the response: one line for each request, never a body, a header or a query
    /// string.
    fn answer(&self, source: Option<&Source>, started: Instant, answer: Answer) -> Response {
        let (status, verdict, elapsed) = (answer.status(), answer.verdict, started.elapsed());
        let name = name(source);
        self.observer
            .request(name, status.as_u16(), verdict, elapsed);
        let milliseconds = elapsed.as_secs_f64() * 1000.0;
        tracing::debug!(
            source = name,
            status = status.as_u16(),
            verdict,
            milliseconds,
            "request answered"
        );
        if status.is_server_error() {
            throttled!(
                warn,
                source = name,
                verdict,
                "a request was answered 503; its sender should send it again"
            );
        }
        if source.is_some() && answer.is_refused() {
            self.refusals.warn(name, verdict);
        }
        answer.into_response()
    }

    /// Counts and logs a request or connection that ended without a response from these routes.
    pub(super) fn unserved(&self, source: Option<&Source>, reason: &'static str) {
        self.observer.unserved(name(source), reason);
        tracing::debug!(
            source = name(source),
            reason,
            "a request or connection ended without a response"
        );
        if let Some(source) = source {
            self.refusals.warn(source.name().as_str(), reason);
        }
    }
}

/// The source's name as a label of metrics and logs.
fn name(source: Option<&Source>) -> &str {
    source.map_or("-", |source| source.name().as_str())
}
