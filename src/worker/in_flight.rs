//! The deliveries that this process knows it holds, from the response to their claim until they are
//! settled, and the uncertainty whether the outbox has more of them under its lease.

use crate::domain::DeliveryId;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

/// The deliveries of one handler that this process holds.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// How many attempts hold each delivery. A delivery that was released, or whose lease no longer
    /// exists, can be claimed again before its earlier attempt has been dropped.
    known: HashMap<DeliveryId, u32>,
    uncertainty: Uncertainty,
}

/// Why the outbox may have deliveries under this process's lease that the process does not know of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uncertainty {
    /// A claim got no response.
    pub(super) claim: bool,
    /// A delivery was dropped without a settlement.
    pub(super) delivery: bool,
}

impl Uncertainty {
    pub(super) fn any(self) -> bool {
        self.claim || self.delivery
    }
}

/// A delivery that is held. It is not known any more once all its guards are dropped.
#[derive(Debug)]
pub(super) struct InFlightGuard {
    delivery: DeliveryId,
    all: InFlight,
    settled: bool,
}

/// A claim in progress.
pub(super) struct Claiming {
    of: InFlight,
    answered: bool,
}

impl InFlight {
    /// To be called before a claim is sent. It leaves an uncertainty unless the claim is answered.
    pub(super) fn claiming(&self) -> Claiming {
        Claiming {
            of: self.clone(),
            answered: false,
        }
    }

    pub(super) fn hold(&self, delivery: DeliveryId) -> InFlightGuard {
        *self.all().known.entry(delivery).or_default() += 1;
        InFlightGuard {
            delivery,
            all: self.clone(),
            settled: false,
        }
    }

    pub(super) fn known(&self) -> Vec<DeliveryId> {
        self.all().known.keys().copied().collect()
    }

    /// Takes the uncertainty that has arisen since the last call.
    pub(super) fn take_uncertainty(&self) -> Uncertainty {
        std::mem::take(&mut self.all().uncertainty)
    }

    /// Whether the outbox has no delivery under this process's lease, as far as that is certain
    /// without a query.
    pub(super) fn certainly_empty(&self) -> bool {
        let all = self.all();
        all.known.is_empty() && !all.uncertainty.any()
    }

    /// Notes that a claim may still reach the server.
    pub(super) fn claim_uncertain(&self) {
        self.all().uncertainty.claim = true;
    }

    fn all(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }
}

impl InFlightGuard {
    /// To be called if the outbox agrees that this process does not hold the delivery: it is
    /// settled, or another worker has taken it over.
    pub(super) fn settled(mut self) {
        self.settled = true;
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        let mut all = self.all.all();
        if let Entry::Occupied(mut held) = all.known.entry(self.delivery) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
        all.uncertainty.delivery |= !self.settled;
    }
}

impl Claiming {
    /// To be called once all deliveries of the claim are known.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        if !self.answered {
            self.of.claim_uncertain();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_delivery_is_known_until_it_is_settled() {
        let in_flight = InFlight::default();
        let (one, two) = (in_flight.hold(DeliveryId(1)), in_flight.hold(DeliveryId(2)));
        one.settled();
        assert_eq!(in_flight.known(), [DeliveryId(2)]);
        assert!(!in_flight.certainly_empty());
        two.settled();
        assert!(in_flight.certainly_empty());
        assert_eq!(in_flight.take_uncertainty(), Uncertainty::default());
    }

    #[test]
    fn a_delivery_claimed_twice_stays_known_when_its_first_attempt_drops_it() {
        let in_flight = InFlight::default();
        let (first, second) = (in_flight.hold(DeliveryId(1)), in_flight.hold(DeliveryId(1)));
        drop(first);
        assert_eq!(in_flight.known(), [DeliveryId(1)]);
        assert!(!in_flight.certainly_empty());
        second.settled();
        assert!(in_flight.known().is_empty());
    }

    #[test]
    fn a_dropped_delivery_or_claim_leaves_an_uncertainty() {
        let in_flight = InFlight::default();
        drop(in_flight.hold(DeliveryId(1)));
        assert!(in_flight.known().is_empty() && !in_flight.certainly_empty());
        assert_eq!(
            in_flight.take_uncertainty(),
            Uncertainty {
                claim: false,
                delivery: true
            }
        );
        assert!(in_flight.certainly_empty());

        in_flight.claiming().answered();
        assert!(in_flight.certainly_empty());
        drop(in_flight.claiming());
        assert!(!in_flight.certainly_empty());
        assert_eq!(
            in_flight.take_uncertainty(),
            Uncertainty {
                claim: true,
                delivery: false
            }
        );
    }
}
