//! Group commit without a timer: whatever gathers while one commit is flushed is the next one.

use super::{Intake, Receipt, Refusal, headers};
use crate::domain::{Origin, SourceName, Verdict};
use crate::health::Readiness;
use crate::sources::VerifiedRequest;
use crate::store::{Connection, Database, DatabaseClock, IngestError, NewEvent, Role, SourceId, StoreError};
use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many requests one statement takes at most.
const LARGEST_GROUP: usize = 400;

/// How many bytes of bodies one statement takes, but for a single larger one: a statement's arguments are a copy.
const LARGEST_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// How long a writer has the queue for itself while it commits. Twice as many in each group cost less than two commits
/// side by side; but a commit that takes long, as where somebody holds a key, must not stop the others.
const TURN: Duration = Duration::from_millis(10);

/// How long a request waits for its commit. It may commit all the same; the sender's repeat is then a duplicate.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a writer without a connection waits before it tries again: from, to.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// The condition that requests can be stored.
pub(crate) const INTAKE: &str = "intake";

/// Why it does not hold.
pub(crate) const NOT_CONNECTED: &str = "no connection for storing requests; webhooks get 503 until there is one";

struct Waiting {
    source: SourceName,
    request: VerifiedRequest,
    headers: String,
    answer: oneshot::Sender<Result<Receipt, Refusal>>,
}

/// The queue in front of the writers. Cheap to clone.
#[derive(Clone)]
pub struct GroupCommit {
    queue: mpsc::Sender<Waiting>,
    connected: Arc<AtomicUsize>,
}

/// The other end of the queue, for [`Writers::run`].
pub struct Writers {
    queue: Arc<Mutex<mpsc::Receiver<Waiting>>>,
    connected: Arc<AtomicUsize>,
}

/// What the writers need to know, and whom they tell.
#[derive(Clone)]
pub struct WriterContext {
    /// Where to write.
    pub database: Database,
    /// What makes the ids.
    pub clock: DatabaseClock,
    /// The sources' small ids.
    pub sources: Arc<HashMap<SourceName, SourceId>>,
    /// Told whether any writer has a connection.
    pub readiness: Readiness,
    /// Called after each commit that stored events, with how many.
    pub stored: Arc<dyn Fn(usize) + Send + Sync>,
}

/// A queue for at most `waiting` requests, and its other end.
pub fn group_commit(waiting: usize) -> (GroupCommit, Writers) {
    let (sender, receiver) = mpsc::channel(waiting);
    let connected = Arc::new(AtomicUsize::new(0));
    let writers = Writers { queue: Arc::new(Mutex::new(receiver)), connected: connected.clone() };
    (GroupCommit { queue: sender, connected }, writers)
}

impl GroupCommit {
    /// Whether any writer has a connection: without one every request is refused at once.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire) > 0
    }
}

impl Intake for GroupCommit {
    async fn submit(&self, source: SourceName, request: VerifiedRequest) -> Result<Receipt, Refusal> {
        if !self.is_connected() {
            return Err(Refusal::Unavailable);
        }
        let headers = headers::to_json(&request.headers);
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Waiting { source, request, headers, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Busy,
            mpsc::error::TrySendError::Closed(_) => Refusal::Unavailable,
        })?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
        }
    }
}

impl Writers {
    /// Runs `count` writers until every sender of the queue is gone and everything is answered.
    pub async fn run(self, count: usize, context: WriterContext) {
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..count {
            let writer = Writer {
                queue: self.queue.clone(),
                connected: self.connected.clone(),
                context: context.clone(),
                connection: None,
            };
            running.spawn(writer.run());
        }
        while running.join_next().await.is_some() {}
    }
}

struct Writer {
    queue: Arc<Mutex<mpsc::Receiver<Waiting>>>,
    connected: Arc<AtomicUsize>,
    context: WriterContext,
    connection: Option<Connection>,
}

impl Writer {
    async fn run(mut self) {
        loop {
            if self.connection.is_none() {
                self.reconnect().await;
            }
            let mut turn = self.queue.clone().lock_owned().await;
            let Some(group) = gather(&mut turn).await else { break };
            let mut commit = pin!(self.commit(group));
            let ended = tokio::time::timeout(TURN, &mut commit).await;
            drop(turn);
            if ended.is_err() {
                commit.await;
            }
        }
        self.disconnected();
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    async fn commit(&mut self, group: Vec<Waiting>) {
        // A sender that has gone away gets no answer, but what it sent is stored all the same.
        let answers = match self.try_commit(&group).await {
            // An idle connection is often found broken only by use, so once more on a new one. If the first did
            // commit, its requests are now duplicates of themselves: new ids see to that.
            None => self.try_commit(&group).await,
            answers => answers,
        };
        let Some(answers) = answers else {
            for waiting in group {
                let _ = waiting.answer.send(Err(Refusal::Unavailable));
            }
            return;
        };
        let stored = answers.iter().filter(|a| matches!(a, Ok(r) if r.verdict != Verdict::Duplicate)).count();
        for (waiting, answer) in group.into_iter().zip(answers) {
            let _ = waiting.answer.send(answer);
        }
        if stored > 0 {
            (self.context.stored)(stored);
        }
    }

    /// What a group becomes in the store. Its sources are registered: the ingress knows no others.
    fn new_events(&self, group: &[Waiting]) -> Option<Vec<NewEvent>> {
        group.iter().map(|waiting| new_event(&self.context, waiting)).collect()
    }

    /// One statement on a connection that works; `None` where there is none, or it broke.
    async fn try_commit(&mut self, group: &[Waiting]) -> Option<Vec<Result<Receipt, Refusal>>> {
        if self.connection.is_none() && self.connect().await.is_err() {
            return None;
        }
        let events = self.new_events(group)?;
        let connection = self.connection.as_mut()?;
        let answers = connection.ingest(&events, Origin::Webhook).await;
        // An id outside the partitions is refused like any other data: the database's clock may have been set.
        if answers.contains(&Err(IngestError::Refused)) {
            let _ = self.context.clock.measure(connection).await;
        }
        if answers.contains(&Err(IngestError::Lost)) {
            self.disconnected();
            self.connection = None;
            return None;
        }
        let refusal = |e| match e {
            IngestError::Lost => Refusal::Unavailable,
            IngestError::KeyHeld => Refusal::KeyHeld,
            IngestError::Refused => Refusal::Refused,
        };
        Some(answers.into_iter().map(|answer| answer.map_err(refusal)).collect())
    }

    async fn connect(&mut self) -> Result<(), StoreError> {
        let mut connection = self.context.database.connect(Role::Ingest).await?;
        self.context.clock.measure(&mut connection).await?;
        self.connection = Some(connection);
        self.connected.fetch_add(1, Ordering::AcqRel);
        self.context.readiness.set(INTAKE, Ok(()));
        Ok(())
    }

    fn disconnected(&mut self) {
        if self.connection.is_some() && self.connected.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.context.readiness.set(INTAKE, Err(NOT_CONNECTED.to_owned()));
        }
    }

    /// Tries until there is a connection. While no writer has one, what waits is refused at once: the sender's
    /// repeat finds us back, and a request that waits in vain would only take a place.
    async fn reconnect(&mut self) {
        let mut pause = RECONNECT.0;
        while let Err(error) = self.connect().await {
            tracing::warn!(%error, "no connection for storing requests; requests are answered 503, and this is tried again");
            if self.connected.load(Ordering::Acquire) == 0
                && let Ok(mut queue) = self.queue.try_lock()
            {
                while let Ok(waiting) = queue.try_recv() {
                    let _ = waiting.answer.send(Err(Refusal::Unavailable));
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT.1);
        }
    }
}

/// Waits for one request, and takes all that are there with it; `None` at the end of everything.
async fn gather(queue: &mut mpsc::Receiver<Waiting>) -> Option<Vec<Waiting>> {
    let first = queue.recv().await?;
    let mut bytes = first.request.body.len();
    let mut group = vec![first];
    while group.len() < LARGEST_GROUP && bytes < LARGEST_GROUP_BYTES {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.request.body.len();
        group.push(next);
    }
    Some(group)
}

fn new_event(context: &WriterContext, waiting: &Waiting) -> Option<NewEvent> {
    let request = &waiting.request;
    Some(NewEvent {
        id: context.clock.event_id()?,
        source: *context.sources.get(&waiting.source)?,
        key: request.identity.key.clone(),
        alias: request.identity.alias.clone(),
        fingerprint: request.identity.fingerprint.clone(),
        window: request.identity.window,
        event_type: request.event_type.clone(),
        topic: request.topic.clone(),
        verified_by: Some(request.verified_by.clone()),
        headers: waiting.headers.clone(),
        body: request.body.clone(),
    })
}
