//! The writers behind the queue: each takes what has gathered, and commits it in one statement.

use super::{Receipt, Refusal, group_commit::Waiting, intake_health::IntakeHealth};
use crate::domain::{Origin, SourceName, Verdict};
use crate::store::{
    Connection, Database, DatabaseClock, IngestError, NewEvent, Role, SourceId, StoreError,
};
use crate::telemetry::health::{Heartbeat, Heartbeats, Readiness};
use crate::throttle::{Backoff, throttled};
use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};

/// How many requests one statement takes at most.
const LARGEST_GROUP: usize = 400;

/// How many bytes of bodies one statement takes, but for a single larger one: a statement's arguments are a copy.
const LARGEST_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// How long a writer has the queue for itself while it commits. Twice as many in each group cost less than two commits
/// side by side; but a commit that takes long, as where somebody holds a key, must not stop the others.
const TURN: Duration = Duration::from_millis(10);

/// Pauses before a writer whose requests were not stored connects again.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long an idle connection is believed to be alive: the next webhook should not be the one that finds out.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// How often readiness is told.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// A writer that has not come round for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// The queue's other end.
type Queue = mpsc::Receiver<Waiting>;

/// The other end of the queue, for [`Writers::run`].
pub struct Writers {
    queue: Arc<Mutex<Queue>>,
    health: Arc<IntakeHealth>,
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
    /// Told whether requests are being stored.
    pub readiness: Readiness,
    /// Where each writer ticks.
    pub heartbeats: Heartbeats,
    /// Called after each commit that stored events, with how many.
    pub stored: Arc<dyn Fn(usize) + Send + Sync>,
}

impl Writers {
    pub(super) fn new(queue: Queue, health: Arc<IntakeHealth>) -> Self {
        Self {
            queue: Arc::new(Mutex::new(queue)),
            health,
        }
    }

    /// Runs `count` writers until every sender of the queue is gone and everything is answered.
    pub async fn run(self, count: usize, context: WriterContext) {
        let mut running = tokio::task::JoinSet::new();
        for i in 1..=count {
            let writer = Writer {
                queue: self.queue.clone(),
                health: self.health.clone(),
                heartbeat: context.heartbeats.register(format!("write {i}"), STUCK),
                context: context.clone(),
                connection: None,
                backoff: Backoff::new(RECONNECT.0, RECONNECT.1),
            };
            running.spawn(writer.run());
        }
        let report = async {
            loop {
                self.health.report(&context.readiness);
                tokio::time::sleep(REPORT_EVERY).await;
            }
        };
        tokio::select! {
            () = async { while running.join_next().await.is_some() {} } => {}
            () = report => {}
        }
    }
}

struct Writer {
    queue: Arc<Mutex<Queue>>,
    health: Arc<IntakeHealth>,
    heartbeat: Heartbeat,
    context: WriterContext,
    connection: Option<Connection>,
    backoff: Backoff,
}

impl Writer {
    async fn run(mut self) {
        loop {
            self.heartbeat.tick();
            if self.connection.is_none() {
                self.reconnect().await;
            }
            // Dropped before it has taken anything, or not at all.
            let Ok(taken) = tokio::time::timeout(CHECK_EVERY, gather(self.queue.clone())).await
            else {
                self.check().await;
                continue;
            };
            let Some((turn, group)) = taken else { break };
            let mut commit = pin!(self.commit(group));
            let ended = tokio::time::timeout(TURN, &mut commit).await;
            drop(turn);
            if ended.is_err() {
                commit.await;
            }
        }
        if let Some(connection) = self.connection.take() {
            self.health.disconnected();
            connection.close().await;
        }
        self.heartbeat.retire();
    }

    async fn commit(&mut self, group: Vec<Waiting>) {
        let asked = self.health.ask(Instant::now());
        // A sender that has gone away gets no answer, but what it sent is stored all the same.
        let answers = match self.try_commit(&group).await {
            // A connection is often found broken only by use, so again on a new one. If the first did commit, its
            // requests are now duplicates of themselves: new ids see to that.
            None => self.try_commit(&group).await,
            answers => answers,
        };
        let Some(answers) = answers else {
            self.health.refused(asked);
            self.backoff.failed(Instant::now());
            for waiting in group {
                let _ = waiting.answer.send(Err(Refusal::Unavailable));
            }
            return;
        };
        self.health.answered(asked, Instant::now());
        self.backoff.succeeded();
        let stored = answers
            .iter()
            .filter(|a| matches!(a, Ok(r) if r.verdict != Verdict::Duplicate))
            .count();
        for (waiting, answer) in group.into_iter().zip(answers) {
            let _ = waiting.answer.send(answer);
        }
        if stored > 0 {
            (self.context.stored)(stored);
        }
    }

    /// What a group becomes in the store. Its sources are registered: the ingress knows no others.
    fn new_events(&self, group: &[Waiting]) -> Option<Vec<NewEvent>> {
        group
            .iter()
            .map(|waiting| new_event(&self.context, waiting))
            .collect()
    }

    /// One statement on a connection that works; `None` where there is none, or it broke.
    async fn try_commit(&mut self, group: &[Waiting]) -> Option<Vec<Result<Receipt, Refusal>>> {
        if self.connection.is_none() && self.connect().await.is_err() {
            return None;
        }
        let events = self.new_events(group)?;
        let connection = self.connection.as_mut()?;
        let answers = connection.ingest(&events, Origin::Webhook).await;
        if answers.contains(&Err(IngestError::Lost)) {
            self.lose_connection();
            return None;
        }
        // An id outside the partitions is refused like any other data: the database's clock may have been set.
        if answers.contains(&Err(IngestError::Refused))
            && self.context.clock.measure(connection).await.is_err()
        {
            self.lose_connection();
        }
        let refusal = |e| match e {
            IngestError::Lost => Refusal::Unavailable,
            IngestError::KeyHeld => Refusal::KeyHeld,
            IngestError::Refused => Refusal::Refused,
        };
        Some(
            answers
                .into_iter()
                .map(|answer| answer.map_err(refusal))
                .collect(),
        )
    }

    /// Finds out whether an idle connection is of use. After a group that was not stored only storing shows that: a database
    /// that answers and whose disk is full is no use, and no further webhook may come to find out.
    async fn check(&mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let asked = self.health.ask(Instant::now());
        let checked = match self.health.stores() {
            true => connection.check().await,
            false => connection.check_storing().await,
        };
        match checked {
            Ok(()) => {
                self.health.answered(asked, Instant::now());
                self.backoff.succeeded();
            }
            Err(error) => {
                throttled!(warn, %error, "a connection for storing requests is replaced");
                self.health.unanswered(asked);
                self.lose_connection();
                self.backoff.failed(Instant::now());
            }
        }
    }

    async fn connect(&mut self) -> Result<(), StoreError> {
        let mut connection = self.context.database.connect(Role::Ingest).await?;
        self.context.clock.measure(&mut connection).await?;
        connection.check().await?;
        self.connection = Some(connection);
        self.health.connected();
        self.health.report(&self.context.readiness);
        Ok(())
    }

    /// Drops the connection, if there is one.
    fn lose_connection(&mut self) {
        if self.connection.take().is_some() {
            self.health.disconnected();
            self.health.report(&self.context.readiness);
        }
    }

    /// Tries until there is a connection, or nothing to store any more. While no writer has one, what waits is refused at once: the sender's
    /// repeat finds us back, and a request that waits in vain would only take a place.
    async fn reconnect(&mut self) {
        loop {
            self.heartbeat.tick();
            self.backoff.wait().await;
            let Err(error) = self.connect().await else {
                return;
            };
            self.backoff.failed(Instant::now());
            throttled!(warn, %error, "no connection for storing requests; requests are answered 503, and this is tried again");
            if !self.health.is_connected()
                && let Ok(mut queue) = self.queue.try_lock()
            {
                while let Ok(waiting) = queue.try_recv() {
                    let _ = waiting.answer.send(Err(Refusal::Unavailable));
                }
                if queue.is_closed() {
                    return;
                }
            }
        }
    }
}

/// Waits for its turn and for one request, and takes all that are there with it; `None` at the end of everything.
/// May be dropped at any time: what it takes it takes without waiting.
async fn gather(queue: Arc<Mutex<Queue>>) -> Option<(OwnedMutexGuard<Queue>, Vec<Waiting>)> {
    let mut queue = queue.lock_owned().await;
    let first = queue.recv().await?;
    let mut bytes = first.request.body.len();
    let mut group = vec![first];
    while group.len() < LARGEST_GROUP && bytes < LARGEST_GROUP_BYTES {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.request.body.len();
        group.push(next);
    }
    Some((queue, group))
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
