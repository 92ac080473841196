//! Runs one statement for a group of independent rows, and bisects the group if one of the rows
//! makes the statement fail.

use super::{Connection, Fault, StoreError};
use crate::throttle::throttled;
use std::{collections::VecDeque, ops::Range, time::Duration};

/// How often a part is sent again after a deadlock before it is bisected.
const CONTENDED_ATTEMPTS: u32 = 5;

/// The lock timeout of each part while a group is bisected because another transaction holds one of
/// its rows.
const SHORT_LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// A group of rows for one statement, which returns an answer for each row.
pub(super) trait Group: Sync {
    type Answer: Clone + Send;

    fn len(&self) -> usize;

    /// Runs the statement for some of the rows. The answers are in the order of the rows.
    fn run(
        &self,
        connection: &mut Connection,
        part: Range<usize>,
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;

    /// The answer for a row that failed in a statement of its own.
    fn single_failure(&self, row: usize, error: &StoreError) -> Self::Answer;
}

impl Connection {
    /// Runs a statement for a group. If it fails because of the data of a row, or because of a lock
    /// that another transaction holds, each half is run separately, until the failing row is alone.
    /// An answer is `None` if the connection was lost; the connection cannot be used again then.
    pub(super) async fn run_bisecting<G: Group>(&mut self, group: &G) -> Vec<Option<G::Answer>> {
        let mut answers = vec![None; group.len()];
        let mut parts: VecDeque<(Range<usize>, u32)> = VecDeque::from([(0..group.len(), 0)]);
        let (mut hurried, mut lost) = (false, false);
        while let Some((part, attempts)) = parts.pop_front() {
            if part.is_empty() {
                continue;
            }
            let error = match group.run(self, part.clone()).await {
                Ok(rows) => {
                    answers[part]
                        .iter_mut()
                        .zip(rows)
                        .for_each(|(answer, row)| *answer = Some(row));
                    continue;
                }
                Err(error) => error,
            };
            match error.fault() {
                Fault::Lost => {
                    throttled!(warn, %error, rows = group.len(),
                        "a group was not stored, retrying: the database is unavailable, does not respond, or accepts \
                         no writes");
                    lost = true;
                    break;
                }
                Fault::Contended if attempts < CONTENDED_ATTEMPTS => {
                    tracing::debug!(%error, attempts, "sending a group again");
                    parts.push_front((part, attempts + 1));
                    continue;
                }
                Fault::LockTimeout if !hurried && part.len() > 1 => {
                    hurried = true;
                    if self
                        .set_lock_timeout(Some(SHORT_LOCK_TIMEOUT))
                        .await
                        .is_err()
                    {
                        lost = true;
                        break;
                    }
                }
                _ => {}
            }
            if part.len() == 1 {
                answers[part.start] = Some(group.single_failure(part.start, &error));
                continue;
            }
            let middle = part.start + part.len() / 2;
            parts.push_front((middle..part.end, 0));
            parts.push_front((part.start..middle, 0));
        }
        if hurried
            && !lost
            && let Err(error) = self.set_lock_timeout(None).await
        {
            throttled!(warn, %error, "the short lock timeout of a connection could not be removed");
        }
        answers
    }
}
