//! Processes the quarantined requests for which an operator asked: verifies them again with the
//! secrets that are configured now, or accepts them on the operator's word.
//!
//! Each request is stored by the same statement as a webhook, and its quarantine row is deleted
//! only after that. After a crash in between it is a duplicate of itself, because its idempotency
//! key is taken.

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

/// How many requests one batch has. Each may have the largest body that is allowed.
const BATCH: i64 = 20;

/// How often to check without a notification. Notifications are only hints.
const POLL: Duration = Duration::from_secs(5);

/// The shortest time between two notifications that are acted on, because any database role may
/// notify.
const HEAR_EVERY: Duration = Duration::from_millis(200);

/// Runs in every process that has the secrets of sources.
pub(crate) struct Reverifier {
    pub(crate) pool: PgPool,
    pub(crate) sources: Arc<Sources>,
    pub(crate) context: WriterContext,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Reverifier {
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
                    throttled!(warn, %error, "requested actions of the quarantine wait for the database");
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

    /// Returns whether the batch was full, so that there may be more requests.
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
            requests = answers.len(),
            new,
            "quarantined requests were verified again"
        );
        readmission.answer(&answers).await?;
        Ok(whole)
    }

    /// Returns the event of a request, or the reason why it is none.
    fn judge(&self, asked: &Asked, source: &SourceName) -> Result<NewEvent, Answered> {
        let Some(of) = self.sources.get(source.as_str()) else {
            return Err(Answered::Later);
        };
        let (received, topic) = (headers::from_json(&asked.headers), asked.topic.as_deref());
        let verified = match &asked.vouched_by {
            Some(operator) => {
                VerifiedRequest::vouched(of.kind(), operator, topic, &received, &asked.body)
            }
            // Verified as of the time it was received: a signature that covers its time would be
            // too old by now.
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
