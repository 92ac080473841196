//! A server with a fixed signature, and substitutes for the store.

use crate::support::raw_http::{Client, request};
use hookfast::internals::domain::{
    EventId, IdempotencyKey, Identity, IngressLimits, OnInvalidSignature, SourceName,
};
use hookfast::internals::ingress::{
    Evidence, Ingress, Intake, Observer, Receipt, Refusal, RejectedRequest, Source, Sources,
    Verdict,
};
use hookfast::internals::signing::Secret;
use hookfast::sources::{Description, Handshake, Rejection, SourceKind, VerifiedRequest};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// The header that represents a signature: the label of the secret is correct, four bytes are well
/// formed.
pub(crate) const SIGNATURE: &str = "x-signature";
pub(crate) const GOOD: (&str, &str) = (SIGNATURE, "good");
pub(crate) const WRONG: (&str, &str) = (SIGNATURE, "evil");

/// A kind whose signature is the label of a secret.
pub(crate) struct FixedSignature;

impl SourceKind for FixedSignature {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn verify<'s>(
        &self,
        headers: &axum::http::HeaderMap,
        _: &[u8],
        secrets: &'s [Secret],
        _: SystemTime,
    ) -> Result<&'s Secret, Rejection> {
        let signature = headers.get(SIGNATURE).ok_or(Rejection::MissingSignature)?;
        if signature.len() != 4 {
            return Err(Rejection::MalformedSignature);
        }
        secrets
            .iter()
            .find(|s| s.label().as_bytes() == signature.as_bytes())
            .ok_or(Rejection::WrongSignature)
    }

    fn signature_headers(&self) -> Vec<axum::http::HeaderName> {
        vec![axum::http::HeaderName::from_static(SIGNATURE)]
    }

    fn handshake(&self, _: &axum::http::HeaderMap, body: &[u8]) -> Option<Handshake> {
        (body == b"are you there?").then(|| Handshake::text("<b>yes</b>"))
    }

    fn describe(&self, topic: Option<&str>, _: &axum::http::HeaderMap, body: &[u8]) -> Description {
        assert_ne!(topic, Some("panic"), "asked to");
        let identity = Identity {
            key: IdempotencyKey::of_body(body),
            alias: None,
            window: None,
            fingerprint: None,
        };
        Description {
            event_type: "fixed.event".parse().expect("a type"),
            identity,
        }
    }
}

/// A store in memory. If its gate is closed, requests wait there.
#[derive(Clone)]
pub(crate) struct FakeIntake(Arc<IntakeState>);

pub(crate) struct IntakeState {
    events: Mutex<HashMap<String, EventId>>,
    pub(crate) requests: Mutex<Vec<VerifiedRequest>>,
    refusal: Mutex<Option<Refusal>>,
    waiting: watch::Sender<usize>,
    gate: watch::Sender<bool>,
}

impl FakeIntake {
    fn new() -> Self {
        Self(Arc::new(IntakeState {
            events: Mutex::default(),
            requests: Mutex::default(),
            refusal: Mutex::default(),
            waiting: watch::Sender::new(0),
            gate: watch::Sender::new(true),
        }))
    }

    pub(crate) fn refuse(&self, refusal: Option<Refusal>) {
        *self.0.refusal.lock().expect("not poisoned") = refusal;
    }

    pub(crate) fn close_gate(&self) {
        self.0.gate.send_replace(false);
    }

    pub(crate) fn open_gate(&self) {
        self.0.gate.send_replace(true);
    }

    /// Waits until that many requests have reached the gate.
    pub(crate) async fn waiting(&self, count: usize) {
        let mut waiting = self.0.waiting.subscribe();
        let reached = waiting.wait_for(|n| *n >= count);
        crate::support::raw_http::in_time("requests at the gate", reached)
            .await
            .expect("the intake lives");
    }

    /// The stored webhooks, with topics and bodies.
    pub(crate) fn stored(&self) -> Vec<VerifiedRequest> {
        self.0.requests.lock().expect("not poisoned").clone()
    }

    /// Removes the stored webhooks, which frees their memory.
    pub(crate) fn forget(&self) {
        self.0.requests.lock().expect("not poisoned").clear();
    }
}

impl Intake for FakeIntake {
    async fn submit(&self, _: SourceName, request: VerifiedRequest) -> Result<Receipt, Refusal> {
        self.0.waiting.send_modify(|n| *n += 1);
        self.0
            .gate
            .subscribe()
            .wait_for(|open| *open)
            .await
            .expect("the gate exists");
        if let Some(refusal) = *self.0.refusal.lock().expect("not poisoned") {
            return Err(refusal);
        }
        let key = request.identity.key.as_str().to_owned();
        self.0.requests.lock().expect("not poisoned").push(request);
        let mut events = self.0.events.lock().expect("not poisoned");
        if let Some(first) = events.get(&key) {
            return Ok(Receipt {
                verdict: Verdict::Duplicate,
                event_id: *first,
            });
        }
        let event_id = EventId(uuid::Uuid::now_v7());
        events.insert(key, event_id);
        Ok(Receipt {
            verdict: Verdict::Stored,
            event_id,
        })
    }
}

/// A quarantine in memory.
#[derive(Clone, Default)]
pub(crate) struct FakeEvidence {
    pub(crate) offered: Arc<Mutex<Vec<RejectedRequest>>>,
    pub(crate) kept: Arc<Mutex<Vec<RejectedRequest>>>,
    pub(crate) refusal: Arc<Mutex<Option<Refusal>>>,
}

impl Evidence for FakeEvidence {
    fn offer(&self, request: RejectedRequest) {
        self.offered.lock().expect("not poisoned").push(request);
    }

    async fn keep(&self, request: RejectedRequest) -> Result<(), Refusal> {
        if let Some(refusal) = *self.refusal.lock().expect("not poisoned") {
            return Err(refusal);
        }
        self.kept.lock().expect("not poisoned").push(request);
        Ok(())
    }
}

/// The observed events.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) answers: Mutex<Vec<(String, u16, &'static str)>>,
    pub(crate) unserved: Mutex<Vec<(String, &'static str)>>,
    pub(crate) not_json: Mutex<Vec<String>>,
}

impl Observer for Seen {
    fn request(&self, source: &str, status: u16, verdict: &'static str, _: Duration) {
        self.answers
            .lock()
            .expect("not poisoned")
            .push((source.to_owned(), status, verdict));
    }

    fn unserved(&self, source: &str, reason: &'static str) {
        self.unserved
            .lock()
            .expect("not poisoned")
            .push((source.to_owned(), reason));
    }

    fn not_json(&self, source: &str) {
        self.not_json
            .lock()
            .expect("not poisoned")
            .push(source.to_owned());
    }
}

impl Seen {
    /// How often a request ended in this way, for that source.
    pub(crate) fn unserved_for(&self, source: &str, reason: &str) -> usize {
        let unserved = self.unserved.lock().expect("not poisoned");
        unserved
            .iter()
            .filter(|(of, why)| of == source && *why == reason)
            .count()
    }
}

/// A running ingress with the sources `fixed` and `kept`, which quarantines. It ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) intake: FakeIntake,
    pub(crate) evidence: FakeEvidence,
    pub(crate) seen: Arc<Seen>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(limits: IngressLimits) -> Self {
        let source = |name: &str, policy| {
            Source::new(
                name.parse().expect("a name"),
                Arc::new(FixedSignature),
                vec![secret("good")],
                policy,
            )
            .expect("it has a secret")
        };
        let sources = Arc::new(Sources::new([
            source("fixed", OnInvalidSignature::Reject),
            source("kept", OnInvalidSignature::Quarantine),
        ]));
        let (intake, evidence, seen) = (
            FakeIntake::new(),
            FakeEvidence::default(),
            Arc::new(Seen::default()),
        );
        let ingress = Ingress::new(
            Arc::clone(&sources),
            intake.clone(),
            evidence.clone(),
            Arc::clone(&seen) as _,
            limits,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(ingress.serve(listener, shutdown.clone()));
        Self {
            address,
            intake,
            evidence,
            seen,
            sources,
            shutdown,
            task,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Asserts that a signed request is stored: the server works, whatever happened before.
    pub(crate) async fn is_well(&self) {
        let mut client = self.connect().await;
        let body = format!("well {}", uuid::Uuid::now_v7());
        client
            .send(request("POST", "/webhooks/fixed", &[GOOD], body.as_bytes()))
            .await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, &answer.json()["status"]),
            (200, &"stored".into()),
            "{answer:?}"
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A secret that the fixed signature names by its label.
pub(crate) fn secret(label: &str) -> Secret {
    Secret::new(label, b"0123456789abcdef".to_vec()).expect("long enough")
}
