//! Processes the quarantined requests for which an operator requested an action: verifies them again
//! with the secrets that are configured now, or accepts them on the operator's word.
//!
//! Each request is stored by the same statement as a webhook, and its quarantine row is deleted
//! only after that. After a crash in between it is a duplicate of itself, because its idempotency
//! key is taken.

use super::{Observer, Sources, WriterContext, headers};
use crate::domain::{Origin, SourceName};
use crate::sources::{Verified, VerifiedRequest};
use crate::store::{
    Channel, Connection, IngestError, Listener, NewEvent, Review, ReviewRequest, ReviewResult,
    Role, SourceId, StoreError,
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
const NOTICE_EVERY: Duration = Duration::from_millis(200);

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
                notice = wait_for_notice(&mut listener) => if notice.is_err() {
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
        let review = Review::begin(&self.pool, &served, BATCH).await?;
        if review.requests.is_empty() {
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
        let judged: Vec<_> = review
            .requests
            .iter()
            .map(|quarantined| self.judge(quarantined, &ids[&quarantined.source]))
            .collect();
        let events: Vec<_> = judged
            .iter()
            .filter_map(|judged| judged.as_ref().ok().cloned())
            .collect();
        let mut stored = connection
            .ingest(&events, Origin::Quarantine)
            .await
            .into_iter();
        let results: Vec<_> = judged
            .iter()
            .map(|judged| match judged {
                Err(result) => *result,
                Ok(_) => match stored.next() {
                    Some(Ok(receipt)) => ReviewResult::Accepted(receipt.verdict.as_str()),
                    Some(Err(IngestError::InvalidData)) => {
                        ReviewResult::Rejected("refused_by_the_database")
                    }
                    _ => ReviewResult::Later,
                },
            })
            .collect();
        let new = results
            .iter()
            .filter(|a| matches!(a, ReviewResult::Accepted("stored" | "conflict")))
            .count();
        if new > 0 {
            (self.context.stored)(new);
        }
        for (quarantined, result) in review.requests.iter().zip(&results) {
            if let ReviewResult::Accepted(verdict) = *result {
                self.observer
                    .reverified(ids[&quarantined.source].as_str(), verdict);
            }
        }
        let whole =
            i64::try_from(results.len()) == Ok(BATCH) && !results.contains(&ReviewResult::Later);
        tracing::info!(
            requests = results.len(),
            new,
            "quarantined requests were verified again"
        );
        review.record(&results).await?;
        Ok(whole)
    }

    /// Returns the event of a request, or the reason why it is not an event.
    fn judge(
        &self,
        quarantined: &ReviewRequest,
        source: &SourceName,
    ) -> Result<NewEvent, ReviewResult> {
        let Some(of) = self.sources.get(source.as_str()) else {
            return Err(ReviewResult::Later);
        };
        let (received, topic) = (
            headers::from_json(&quarantined.headers),
            quarantined.topic.as_deref(),
        );
        let verified = match &quarantined.approved_by {
            Some(operator) => {
                VerifiedRequest::approved(of.kind(), operator, topic, &received, &quarantined.body)
            }
            // Verified as of the time it was received: a signature that covers its time would be
            // too old by now.
            None => VerifiedRequest::verify(
                of.kind(),
                &of.secrets(),
                quarantined.first_at,
                topic,
                &received,
                &quarantined.body,
            )
            .map_err(|rejection| ReviewResult::Rejected(rejection.as_str()))?,
        };
        match verified {
            Verified::Handshake(_) => Err(ReviewResult::Accepted("handshake")),
            Verified::Event(request) => Ok(NewEvent::from_verified(
                self.context.clock.event_id().ok_or(ReviewResult::Later)?,
                quarantined.source,
                &request,
                quarantined.headers.to_string(),
            )),
        }
    }
}

async fn wait_for_notice(listener: &mut Option<Listener>) -> Result<(), StoreError> {
    match listener {
        Some(listener) => {
            listener.next().await?;
            tokio::time::sleep(NOTICE_EVERY).await;
            listener.discard_pending().await
        }
        None => std::future::pending().await,
    }
}
