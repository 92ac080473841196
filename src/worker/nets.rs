//! What a claimer puts right now and then: claims that nobody knows of, keys that nobody woke, a breaker shown in error.

use super::claimer::{Claimer, RETRY};
use crate::store::{StoreError, note_breaker, release_unknown, wake_all_keys};
use crate::throttle::throttled;

impl Claimer {
    /// A process that ended while its breaker was open has left that behind.
    pub(super) async fn show_closed(&self) {
        if self.lane.circuit.is_some()
            && let Err(error) = note_breaker(&self.shared.pool, self.lane.id, None).await
        {
            throttled!(warn, %error, handler = %self.lane.name, "the registry may show a breaker as open that is not");
        }
    }

    /// Frees what the table says we hold and we do not know of: the answer of its claim was lost.
    pub(super) async fn reconcile(&self) -> Result<(), StoreError> {
        let Some(tenure) = self.tenures.borrow().clone() else { return Ok(()) };
        let known = self.lane.holding.known();
        match release_unknown(&self.shared.pool, tenure.lease, self.lane.id, &known).await {
            Ok(0) => Ok(()),
            Ok(freed) => {
                throttled!(warn, freed, handler = %self.lane.name, "deliveries whose claim was not answered are free again");
                Ok(())
            }
            Err(error) => {
                throttled!(warn, %error, handler = %self.lane.name, "what is held cannot be compared for now; this is tried again");
                tokio::time::sleep(RETRY).await;
                Err(error)
            }
        }
    }

    /// Wakes the keys of an ordered handler that wait for nothing.
    pub(super) async fn sweep(&self) -> Result<(), StoreError> {
        match wake_all_keys(&self.shared.pool, self.lane.id).await {
            Ok(woken) => {
                if woken > 0 {
                    // Some only because their turn is just coming: the one before has ended, and its wake-up is under way.
                    tracing::debug!(woken, handler = %self.lane.name, "deliveries that waited for nothing are due");
                }
                Ok(())
            }
            Err(error) => {
                throttled!(warn, %error, handler = %self.lane.name, "the order cannot be looked at for now; this is tried again");
                Err(error)
            }
        }
    }
}
