//! The writers behind the queue: each takes the requests that have gathered and commits them in one
//! statement.

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

/// The largest number of requests in one statement.
const LARGEST_GROUP: usize = 400;

/// The largest total size of the bodies in one statement, except for a single larger body. The
/// arguments of a statement are a copy.
const LARGEST_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// How long a writer keeps the queue to itself while it commits. One commit of twice as many
/// requests costs less than two parallel commits. But a commit that takes long, for example because
/// another transaction holds a key, must not block the other writers.
const TURN: Duration = Duration::from_millis(10);

/// The shortest and the longest pause before a writer whose requests were not stored reconnects.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long an idle connection is trusted without a check, so that the next webhook is not the
/// first to find it broken.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// How often readiness is updated.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// A writer without a heartbeat for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);

type Queue = mpsc::Receiver<Waiting>;

/// The receiving side of the queue, for [`Writers::run`].
pub struct Writers {
    queue: Arc<Mutex<Queue>>,
    health: Arc<IntakeHealth>,
}

/// The parts of the process that the writers need.
#[derive(Clone)]
pub struct WriterContext {
    /// The database in which requests are stored.
    pub database: Database,
    /// Makes the event ids.
    pub clock: DatabaseClock,
    /// The ids of the registered sources.
    pub sources: Arc<HashMap<SourceName, SourceId>>,
    /// Receives whether requests are being stored.
    pub readiness: Readiness,
    /// Receives the heartbeat of each writer.
    pub heartbeats: Heartbeats,
    /// Called with the number of stored events after each commit that stored any.
    pub stored: Arc<dyn Fn(usize) + Send + Sync>,
}

impl Writers {
    pub(super) fn new(queue: Queue, health: Arc<IntakeHealth>) -> Self {
        Self {
            queue: Arc::new(Mutex::new(queue)),
            health,
        }
    }

    /// Runs `count` writers until all senders of the queue are dropped and all requests are
    /// answered.
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
            // A timeout loses no request: `gather` is dropped before it has taken one.
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
        let call = self.health.call_started(Instant::now());
        // A sender that has disconnected gets no response, but its request is stored nevertheless.
        let answers = match self.try_commit(&group).await {
            // A broken connection is often noticed only by its use, so this tries again on a new
            // one. If the first attempt did commit, the requests have new ids now and are
            // duplicates of themselves.
            None => self.try_commit(&group).await,
            answers => answers,
        };
        let Some(answers) = answers else {
            self.health.refused(call);
            self.backoff.failed(Instant::now());
            for waiting in group {
                let _ = waiting.answer.send(Err(Refusal::Unavailable));
            }
            return;
        };
        self.health.answered(call, Instant::now());
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

    /// Converts a group for the store. Its sources are registered: the ingress knows no others.
    fn new_events(&self, group: &[Waiting]) -> Option<Vec<NewEvent>> {
        group
            .iter()
            .map(|waiting| new_event(&self.context, waiting))
            .collect()
    }

    /// Commits the group in one statement. `None` if there is no connection, or if it broke.
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
        // An id outside the partitions is rejected like any other data. The database's clock may
        // have been set, so it is measured again.
        if answers.contains(&Err(IngestError::InvalidData))
            && self.context.clock.measure(connection).await.is_err()
        {
            self.lose_connection();
        }
        let refusal = |e| match e {
            IngestError::Lost => Refusal::Unavailable,
            IngestError::KeyHeld => Refusal::KeyHeld,
            IngestError::InvalidData => Refusal::InvalidData,
        };
        Some(
            answers
                .into_iter()
                .map(|answer| answer.map_err(refusal))
                .collect(),
        )
    }

    /// Checks whether an idle connection works. After a group that was not stored, only storing
    /// shows that: a database with a full disk still responds, and perhaps no other webhook arrives
    /// to test it.
    async fn check(&mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let call = self.health.call_started(Instant::now());
        let checked = match self.health.stores() {
            true => connection.check().await,
            false => connection.check_storing().await,
        };
        match checked {
            Ok(()) => {
                self.health.answered(call, Instant::now());
                self.backoff.succeeded();
            }
            Err(error) => {
                throttled!(warn, %error, "a connection for storing requests is replaced");
                self.health.unanswered(call);
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

    fn lose_connection(&mut self) {
        if self.connection.take().is_some() {
            self.health.disconnected();
            self.health.report(&self.context.readiness);
        }
    }

    /// Retries until there is a connection, or until the queue is closed. While no writer has a
    /// connection, queued requests are rejected at once: the sender repeats them later, and here
    /// they would only take up room.
    async fn reconnect(&mut self) {
        loop {
            self.heartbeat.tick();
            self.backoff.wait().await;
            let Err(error) = self.connect().await else {
                return;
            };
            self.backoff.failed(Instant::now());
            throttled!(warn, %error, "no connection for storing requests, retrying; requests are answered 503");
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

/// Waits for its turn and for one request, then takes all that are queued. `None` when the queue is
/// closed and empty. It may be dropped at any time, because it does not wait after it has taken a
/// request.
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
    Some(NewEvent::from_verified(
        context.clock.event_id()?,
        *context.sources.get(&waiting.source)?,
        &waiting.request,
        waiting.headers.clone(),
    ))
}
