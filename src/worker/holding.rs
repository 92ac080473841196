//! What this process knows that it holds: from the claim's answer to the end of the settlement.

use crate::domain::DeliveryId;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The deliveries of one handler that this process holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Holding(Arc<Mutex<HashSet<DeliveryId>>>);

/// One of them; no more when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    delivery: DeliveryId,
    all: Holding,
}

impl Holding {
    pub(super) fn hold(&self, delivery: DeliveryId) -> Held {
        self.all().insert(delivery);
        Held { delivery, all: self.clone() }
    }

    pub(super) fn known(&self) -> Vec<DeliveryId> {
        self.all().iter().copied().collect()
    }

    fn all(&self) -> MutexGuard<'_, HashSet<DeliveryId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.all().remove(&self.delivery);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_known_until_it_is_let_go() {
        let holding = Holding::default();
        let (one, two) = (holding.hold(DeliveryId(1)), holding.hold(DeliveryId(2)));
        drop(one);
        assert_eq!(holding.known(), [DeliveryId(2)]);
        drop(two);
        assert!(holding.known().is_empty());
    }
}
