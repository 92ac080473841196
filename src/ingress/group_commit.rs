//! Group commit without a timer: whatever gathers while one commit is flushed is the next one.

use super::{Intake, Receipt, Refusal, Writers, headers, intake_health::IntakeHealth};
use crate::domain::SourceName;
use crate::sources::VerifiedRequest;
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// How long a request waits for its commit. It may commit all the same; the sender's repeat is then a duplicate.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request on its way to a writer.
pub(super) struct Waiting {
    pub(super) source: SourceName,
    pub(super) request: VerifiedRequest,
    pub(super) headers: String,
    pub(super) answer: oneshot::Sender<Result<Receipt, Refusal>>,
}

/// The queue in front of the writers. Cheap to clone.
#[derive(Clone)]
pub struct GroupCommit {
    queue: mpsc::Sender<Waiting>,
    health: Arc<IntakeHealth>,
}

/// A queue for at most `waiting` requests, and its other end.
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
    /// Whether any writer has a connection: without one every request is refused at once.
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
