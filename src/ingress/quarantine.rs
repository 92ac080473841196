//! Stores requests that failed verification as evidence, through a small queue and connection of
//! its own.

use super::{Evidence, Refusal, RejectedRequest, headers};
use crate::domain::{QuarantineLimits, SourceName, StorableText};
use crate::sources::Rejection;
use crate::store::{
    Connection, Database, EvidenceBody, EvidenceBound, NewEvidence, Role, SourceId, StoreError,
};
use crate::telemetry::{health::Heartbeats, metrics::Metrics};
use crate::throttle::{Backoff, TokenBucket, throttled};
use axum::http::HeaderMap;
use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// How many requests may wait to be stored. Half of them are reserved for requests that are
/// answered 200 after the commit.
const PLACES: usize = 64;

/// How many bytes of bodies may wait. They count as bodies in flight, and verified requests need
/// that memory.
const WAITING_BYTES: usize = 4 * 1024 * 1024;

/// How long a request that is to be answered 200 waits for its commit.
const PATIENCE: Duration = Duration::from_secs(10);

/// The shortest and the longest pause before the database is used again after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long an idle connection is trusted without a check.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// A writer without a heartbeat for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// The largest body that is stored whole for a request answered 401.
const LARGEST_WHOLE: usize = 64 * 1024;

/// How much of a larger body is stored.
const EXCERPT: usize = 4 * 1024;

impl QuarantineLimits {
    /// The bound for all requests answered 200, or for the requests of one reason answered 401.
    fn bound(&self, answered: bool) -> EvidenceBound {
        let parts = if answered { 1 } else { Rejection::COUNT };
        let bytes = i64::try_from(self.bytes / u64::from(parts)).unwrap_or(i64::MAX);
        EvidenceBound {
            rows: i64::from(self.rows / parts).max(1),
            bytes,
        }
    }
}

struct Waiting {
    source: SourceName,
    reason: Rejection,
    topic: Option<StorableText>,
    headers: HeaderMap,
    digest: [u8; 32],
    body: EvidenceBody,
    /// Present if the request is to be answered 200 after the commit.
    answer: Option<oneshot::Sender<Result<(), Refusal>>>,
}

impl Waiting {
    fn new(request: RejectedRequest, answer: Option<oneshot::Sender<Result<(), Refusal>>>) -> Self {
        let digest = digest(&request);
        let RejectedRequest {
            source,
            reason,
            topic,
            headers,
            body,
            ..
        } = request;
        let body = match answer {
            Some(_) => EvidenceBody::Answered(body),
            None if body.len() <= LARGEST_WHOLE => EvidenceBody::Whole(body),
            // A copy, because a slice would keep the whole body in memory.
            None => EvidenceBody::Excerpt {
                start: Bytes::copy_from_slice(&body[..EXCERPT]),
                bytes: body.len(),
                sha256: Sha256::digest(&body).into(),
            },
        };
        Self {
            source,
            reason,
            topic,
            headers,
            digest,
            body,
            answer,
        }
    }
}

/// The key is the source, and the reason if the request is answered 401.
type Buckets = HashMap<(SourceName, Option<Rejection>), TokenBucket>;

/// Submits requests to the queue before the quarantine. Cheap to clone.
#[derive(Clone)]
pub struct Quarantine {
    queue: mpsc::Sender<Waiting>,
    bytes: Arc<AtomicUsize>,
    taken: Arc<Mutex<Buckets>>,
    limits: QuarantineLimits,
    metrics: Metrics,
}

/// Reads the queue and stores the requests.
pub struct QuarantineWriter {
    queue: mpsc::Receiver<Waiting>,
    bytes: Arc<AtomicUsize>,
    limits: QuarantineLimits,
    metrics: Metrics,
}

/// Makes a queue, and the writer that reads it.
pub fn quarantine(limits: QuarantineLimits, metrics: Metrics) -> (Quarantine, QuarantineWriter) {
    let (sender, queue) = mpsc::channel(PLACES);
    let bytes = Arc::new(AtomicUsize::new(0));
    let writer = QuarantineWriter {
        queue,
        bytes: bytes.clone(),
        limits,
        metrics: metrics.clone(),
    };
    (
        Quarantine {
            queue: sender,
            bytes,
            taken: Arc::default(),
            limits,
            metrics,
        },
        writer,
    )
}

impl Quarantine {
    fn queue(&self, waiting: Waiting) -> Result<(), Refusal> {
        let size = waiting.body.stored().len();
        // An empty queue accepts a single body of any size.
        let before = self.bytes.fetch_add(size, Ordering::AcqRel);
        if before > 0 && before + size > WAITING_BYTES || self.queue.try_send(waiting).is_err() {
            self.bytes.fetch_sub(size, Ordering::AcqRel);
            return Err(Refusal::Busy);
        }
        Ok(())
    }

    /// Checks the rate limit. `refused_for` is the reason of a request answered 401. Each reason
    /// has its own rate, so that requests without a signature do not use up the rate of genuine
    /// requests with a wrong one. `None` is for requests answered 200. They arrive in a burst if
    /// the secret is wrong, and an attacker could fill the quarantine as fast.
    fn within_rate(&self, source: &SourceName, refused_for: Option<Rejection>) -> bool {
        let rate = self.limits.per_second;
        let burst = if refused_for.is_none() {
            rate.max(self.limits.rows / 2)
        } else {
            rate
        };
        let now = Instant::now();
        let mut taken = self.taken.lock();
        taken
            .entry((source.clone(), refused_for))
            .or_insert_with(|| TokenBucket::new(f64::from(rate), f64::from(burst), now))
            .try_take(now)
    }
}

impl Evidence for Quarantine {
    fn offer(&self, request: RejectedRequest) {
        let source = request.source.clone();
        let room = self.queue.capacity() > PLACES / 2;
        if !(room
            && self.within_rate(&source, Some(request.reason))
            && self.queue(Waiting::new(request, None)).is_ok())
        {
            self.metrics.evidence_dropped(source.as_str());
        }
    }

    async fn keep(&self, request: RejectedRequest) -> Result<(), Refusal> {
        self.metrics
            .quarantined(request.source.as_str(), request.reason.as_str());
        let source = request.source.clone();
        let (answer, kept) = oneshot::channel();
        if !(self.within_rate(&source, None)
            && self.queue(Waiting::new(request, Some(answer))).is_ok())
        {
            throttled!(error, %source,
                "requests with an invalid signature arrive faster than the quarantine can store them and are answered \
                 503; verified requests are not affected");
            self.metrics.quarantine_busy(source.as_str());
            return Err(Refusal::Busy);
        }
        match tokio::time::timeout(PATIENCE, kept).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
        }
    }
}

impl QuarantineWriter {
    /// Stores requests until every sender of the queue is dropped.
    pub async fn run(
        mut self,
        database: Database,
        sources: Arc<HashMap<SourceName, SourceId>>,
        heartbeats: Heartbeats,
    ) {
        let heartbeat = heartbeats.register("quarantine", STUCK);
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut connection: Option<Connection> = None;
        loop {
            heartbeat.tick();
            let Ok(waiting) = tokio::time::timeout(CHECK_EVERY, self.queue.recv()).await else {
                if let Some(open) = &mut connection
                    && let Err(error) = open.check().await
                {
                    throttled!(warn, %error, "a connection for storing evidence is replaced");
                    connection = None;
                }
                continue;
            };
            let Some(waiting) = waiting else { break };
            let size = waiting.body.stored().len();
            backoff.wait().await;
            let kept = self
                .keep(&database, &mut connection, &sources, &waiting)
                .await;
            match &kept {
                Err(error) => {
                    throttled!(warn, %error, "a request that failed verification could not be stored as evidence");
                    connection = None;
                    backoff.failed(Instant::now());
                }
                Ok(_) => backoff.succeeded(),
            }
            if let Some(answer) = waiting.answer {
                let _ = answer.send(match kept {
                    Ok(true) => Ok(()),
                    Ok(false) => {
                        throttled!(error, source = %waiting.source,
                            "the quarantine is full: requests with an invalid signature are answered 503 until there \
                             is room");
                        self.metrics.quarantine_full(waiting.source.as_str());
                        Err(Refusal::Busy)
                    }
                    Err(_) => Err(Refusal::Unavailable),
                });
            }
            self.bytes.fetch_sub(size, Ordering::AcqRel);
        }
        heartbeat.retire();
    }

    async fn keep(
        &self,
        database: &Database,
        connection: &mut Option<Connection>,
        sources: &HashMap<SourceName, SourceId>,
        waiting: &Waiting,
    ) -> Result<bool, StoreError> {
        let Some(&source) = sources.get(&waiting.source) else {
            return Ok(false);
        };
        let connection = match connection {
            Some(open) => open,
            None => connection.insert(database.connect(Role::Quarantine).await?),
        };
        let evidence = NewEvidence {
            source,
            reason: waiting.reason.as_str(),
            digest: waiting.digest,
            topic: waiting.topic.clone(),
            headers: headers::to_json(&waiting.headers),
            body: waiting.body.clone(),
        };
        connection
            .keep_evidence(&evidence, self.limits.bound(waiting.answer.is_some()))
            .await
    }
}

/// Two requests are identical if they have the same body and the same signature. Without the
/// signature, a forger who knows a body could displace the genuine request, and an operator needs
/// the genuine signature later.
fn digest(request: &RejectedRequest) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(request.reason.as_str());
    for name in &request.signature_headers {
        digest.update([1]);
        for value in request.headers.get_all(name) {
            digest.update([0]);
            digest.update(value.as_bytes());
        }
    }
    digest.update([0]);
    digest.update(&request.body);
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(reason: Rejection, n: u8) -> RejectedRequest {
        RejectedRequest {
            source: "airalo".parse().expect("a name"),
            reason,
            topic: None,
            signature_headers: Vec::new(),
            headers: HeaderMap::new(),
            body: vec![n].into(),
        }
    }

    #[test]
    fn a_flood_of_one_reason_uses_up_no_others_rate() {
        let limits = QuarantineLimits {
            per_second: 10,
            ..QuarantineLimits::default()
        };
        let (quarantine, mut writer) = quarantine(limits, Metrics::default());
        for n in 0..100 {
            quarantine.offer(rejected(Rejection::MissingSignature, n));
        }
        quarantine.offer(rejected(Rejection::WrongSignature, 0));
        let mut kept = HashMap::new();
        while let Ok(waiting) = writer.queue.try_recv() {
            *kept.entry(waiting.reason).or_insert(0) += 1;
        }
        assert_eq!(
            kept,
            HashMap::from([
                (Rejection::MissingSignature, 10),
                (Rejection::WrongSignature, 1)
            ])
        );
    }
}
