//! What operators ask of the quarantine: requests verified once more by the secrets of now, or taken on their word.
//!
//! Each is stored by the same statement as any other, and only then does its row go: a crash in between makes it a
//! duplicate of itself, since its idempotency key is taken.

use super::{Observer, Sources, WriterContext, headers};
use crate::domain::{Origin, SourceName};
use crate::sources::{Verified, VerifiedRequest};
use crate::store::{
    Answered, Asked, Channel, Connection, IngestError, Listener, NewEvent, Review, Role, SourceId,
    StoreError,
};
use crate::throttle::throttled;
use sqlx::PgPool;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How many at once: each may be as long as a body can be.
const BATCH: i64 = 20;

/// Polling is the truth, the notification a hint.
const POLL: Duration = Duration::from_secs(5);

/// Anybody may notify, so notifications that come faster than this are one.
const HEAR_EVERY: Duration = Duration::from_millis(200);

/// Looks at what is asked for, in every process that has the sources' secrets.
pub(crate) struct Reverifier {
    pub(crate) pool: PgPool,
    pub(crate) sources: Arc<Sources>,
    pub(crate) context: WriterContext,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Reverifier {
    /// Runs until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let ids: HashMap<SourceId, SourceName> = self
            .context
            .sources
            .iter()
            .map(|(name, id)| (*id, name.clone()))
            .collect();
        let (mut connection, mut listener) = (None, None);
        loop {
            let done = match self.batch(&ids, &mut connection).await {
                Ok(done) => done,
                Err(error) => {
                    throttled!(warn, %error, "what is asked of the quarantine waits for the database");
                    connection = None;
                    false
                }
            };
            if stop.is_cancelled() {
                break;
            }
            if done {
                continue;
            }
            connection = None;
            if listener.is_none() {
                listener = Listener::connect(&self.context.database, Channel::Quarantine)
                    .await
                    .ok();
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(POLL) => {}
                heard = hear(&mut listener) => if heard.is_err() {
                    listener = None;
                },
            }
        }
    }

    /// Answers whether it was a whole batch, and there may be more.
    async fn batch(
        &self,
        ids: &HashMap<SourceId, SourceName>,
        connection: &mut Option<Connection>,
    ) -> Result<bool, StoreError> {
        let served: Vec<_> = ids
            .iter()
            .filter(|(_, name)| self.sources.get(name.as_str()).is_some())
            .map(|(id, _)| *id)
            .collect();
        let readmission = Review::begin(&self.pool, &served, BATCH).await?;
        if readmission.asked.is_empty() {
            return Ok(false);
        }
        let connection = match connection {
            Some(open) => open,
            None => {
                let mut opened = self.context.database.connect(Role::Ingest).await?;
                self.context.clock.measure(&mut opened).await?;
                connection.insert(opened)
            }
        };
        let judged: Vec<_> = readmission
            .asked
            .iter()
            .map(|asked| self.judge(asked, &ids[&asked.source]))
            .collect();
        let events: Vec<_> = judged
            .iter()
            .filter_map(|judged| judged.as_ref().ok().cloned())
            .collect();
        let mut stored = connection
            .ingest(&events, Origin::Quarantine)
            .await
            .into_iter();
        let answers: Vec<_> = judged
            .iter()
            .map(|judged| match judged {
                Err(answered) => *answered,
                Ok(_) => match stored.next() {
                    Some(Ok(receipt)) => Answered::Admitted(receipt.verdict.as_str()),
                    Some(Err(IngestError::Refused)) => Answered::Refused("refused_by_the_database"),
                    _ => Answered::Later,
                },
            })
            .collect();
        let new = answers
            .iter()
            .filter(|a| matches!(a, Answered::Admitted("stored" | "conflict")))
            .count();
        if new > 0 {
            (self.context.stored)(new);
        }
        for (asked, answered) in readmission.asked.iter().zip(&answers) {
            if let Answered::Admitted(verdict) = *answered {
                self.observer
                    .readmitted(ids[&asked.source].as_str(), verdict);
            }
        }
        let whole =
            i64::try_from(answers.len()) == Ok(BATCH) && !answers.contains(&Answered::Later);
        tracing::info!(
            looked_at = answers.len(),
            new,
            "quarantined requests were looked at once more"
        );
        readmission.answer(&answers).await?;
        Ok(whole)
    }

    /// What a request is, or why it is no event.
    fn judge(&self, asked: &Asked, source: &SourceName) -> Result<NewEvent, Answered> {
        let Some(of) = self.sources.get(source.as_str()) else {
            return Err(Answered::Later);
        };
        let (received, topic) = (headers::from_json(&asked.headers), asked.topic.as_deref());
        let verified = match &asked.vouched_by {
            Some(operator) => {
                VerifiedRequest::vouched(of.kind(), operator, topic, &received, &asked.body)
            }
            // As of the time it came: what is signed with its time would be stale by now.
            None => VerifiedRequest::verify(
                of.kind(),
                &of.secrets(),
                asked.first_at,
                topic,
                &received,
                &asked.body,
            )
            .map_err(|rejection| Answered::Refused(rejection.as_str()))?,
        };
        match verified {
            Verified::Handshake(_) => Err(Answered::Admitted("handshake")),
            Verified::Event(request) => Ok(NewEvent {
                id: self.context.clock.event_id().ok_or(Answered::Later)?,
                source: asked.source,
                key: request.identity.key,
                alias: request.identity.alias,
                fingerprint: request.identity.fingerprint,
                window: request.identity.window,
                event_type: request.event_type,
                topic: request.topic,
                verified_by: Some(request.verified_by),
                headers: asked.headers.to_string(),
                body: request.body,
            }),
        }
    }
}

async fn hear(listener: &mut Option<Listener>) -> Result<(), StoreError> {
    match listener {
        Some(listener) => {
            listener.heard().await?;
            tokio::time::sleep(HEAR_EVERY).await;
            listener.forget_unheard().await
        }
        None => std::future::pending().await,
    }
}
