//! Repairs that a claimer makes: it releases deliveries whose claim response was lost, and clears a
//! circuit breaker that an earlier process left open in the registry.

use super::claimer::{Claimer, RETRY};
use crate::store::{StoreError, note_breaker, release_unknown, wait_for_claims};
use crate::throttle::throttled;

impl Claimer {
    /// Clears the registry: a process that ended while its breaker was open has left it open there.
    pub(super) async fn show_closed(&self) {
        if self.runtime.circuit.is_some()
            && let Err(error) = note_breaker(&self.shared.pool, self.runtime.id, None).await
        {
            throttled!(warn, %error, handler = %self.runtime.name, "the registry may show a breaker as open that is not");
        }
    }

    /// Releases the deliveries that the outbox has under this lease and this process does not know
    /// of: the response to their claim was lost.
    pub(super) async fn reconcile(&self) -> Result<(), StoreError> {
        let Some(lease) = self.leases.borrow().clone() else {
            return Ok(());
        };
        let known = self.runtime.in_flight.known();
        match release_unknown(&self.shared.pool, lease.id, self.runtime.id, &known).await {
            Ok(0) => Ok(()),
            Ok(freed) => {
                throttled!(warn, freed, handler = %self.runtime.name, "released deliveries whose claim response was lost");
                Ok(())
            }
            Err(error) => {
                throttled!(warn, %error, handler = %self.runtime.name, "in-flight reconciliation failed, retrying");
                tokio::time::sleep(RETRY).await;
                Err(error)
            }
        }
    }

    /// Reconciles when the worker stops: a claim may have been interrupted.
    pub(super) async fn reconcile_after_claims(&self) -> Result<(), StoreError> {
        let Some(lease) = self.leases.borrow().clone() else {
            return Ok(());
        };
        wait_for_claims(&self.shared.pool, lease.id).await?;
        self.reconcile().await
    }
}
