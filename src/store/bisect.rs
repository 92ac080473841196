//! A statement for many strangers, taken apart where one of them spoils it.

use super::{Connection, Fault, StoreError};
use crate::throttle::throttled;
use std::{collections::VecDeque, ops::Range, time::Duration};

/// How often a part that met a deadlock is sent again before it is taken apart.
const CONTENDED_TRIES: u32 = 5;

/// While a group is taken apart because somebody holds one of its rows, each part waits no longer than this.
const SHORT_LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// A statement over a group of rows, each of which gets an answer.
pub(super) trait Group: Sync {
    /// What a row is answered.
    type Answer: Clone + Send;

    /// How many rows there are.
    fn len(&self) -> usize;

    /// Runs the statement over some of the rows, and answers in their order.
    fn run(
        &self,
        connection: &mut Connection,
        part: Range<usize>,
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;

    /// The answer of a row that failed although it stood alone.
    fn alone(&self, row: usize, error: &StoreError) -> Self::Answer;
}

impl Connection {
    /// Runs a statement over a group, and where it fails because of some row's data, or of a lock that somebody
    /// holds, over halves of them, until that row stands alone. `None` where the connection was lost; it is
    /// of no more use then.
    pub(super) async fn in_parts<G: Group>(&mut self, group: &G) -> Vec<Option<G::Answer>> {
        let mut answers = vec![None; group.len()];
        let mut parts: VecDeque<(Range<usize>, u32)> = VecDeque::from([(0..group.len(), 0)]);
        let (mut hurried, mut lost) = (false, false);
        while let Some((part, tries)) = parts.pop_front() {
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
                    throttled!(warn, %error, rows = group.len(), "a group was not stored and is tried again: the database is away, answers no more, or takes no writes");
                    lost = true;
                    break;
                }
                Fault::Contended if tries < CONTENDED_TRIES => {
                    tracing::debug!(%error, tries, "a group is sent again");
                    parts.push_front((part, tries + 1));
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
                answers[part.start] = Some(group.alone(part.start, &error));
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
            throttled!(warn, %error, "a connection keeps its short lock time-out");
        }
        answers
    }
}
