//! The queue before the writers. Requests that gather while one commit is flushed form the next
//! commit, so group commit needs no timer.

use super::{Intake, Receipt, Refusal, Writers, headers, intake_health::IntakeHealth};
use crate::domain::SourceName;
use crate::sources::VerifiedRequest;
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// How long a request waits for its commit. It may be committed nevertheless; then the sender's
/// repeat is a duplicate.
const PATIENCE: Duration = Duration::from_secs(10);

/// A verified request in the queue.
pub(super) struct Waiting {
    pub(super) source: SourceName,
    pub(super) request: VerifiedRequest,
    pub(super) headers: String,
    pub(super) answer: oneshot::Sender<Result<Receipt, Refusal>>,
}

/// Submits requests to the queue before the writers. Cheap to clone.
#[derive(Clone)]
pub struct GroupCommit {
    queue: mpsc::Sender<Waiting>,
    health: Arc<IntakeHealth>,
}

/// Makes a queue for at most `waiting` requests, and the writers that read it.
pub fn group_commit(waiting: usize) -> (GroupCommit, Writers) {
    let (sender, receiver) = mpsc::channel(waiting);
    let health = Arc::new(IntakeHealth::new());
    (
        GroupCommit {
            queue: sender,
            health: health.clone(),
        },
        Writers::new(receiver, health),
    )
}

impl GroupCommit {
    /// Whether any writer has a connection. Without one, every request is rejected at once.
    pub fn is_connected(&self) -> bool {
        self.health.is_connected()
    }
}

impl Intake for GroupCommit {
    async fn submit(
        &self,
        source: SourceName,
        request: VerifiedRequest,
    ) -> Result<Receipt, Refusal> {
        if !self.is_connected() {
            return Err(Refusal::Unavailable);
        }
        let headers = headers::to_json(&request.headers);
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Waiting {
                source,
                request,
                headers,
                answer,
            })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Refusal::Busy,
                mpsc::error::TrySendError::Closed(_) => Refusal::Unavailable,
            })?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
        }
    }
}
