//! A memory budget for the requests in flight, in two tiers: small reservations never compete with
//! large ones.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Notify;

/// An upper bound for the bytes of many reservations.
#[derive(Debug)]
struct Tier {
    free: AtomicUsize,
    freed: Notify,
}

impl Tier {
    fn new(bytes: usize) -> Self {
        Self {
            free: AtomicUsize::new(bytes),
            freed: Notify::new(),
        }
    }

    fn take(&self, bytes: usize) -> Result<(), BudgetExceeded> {
        let take = |free: usize| free.checked_sub(bytes);
        let taken = self
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(drop).map_err(|_| BudgetExceeded)
    }

    fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.free.fetch_add(bytes, Ordering::Relaxed);
            self.freed.notify_waiters();
        }
    }
}

/// The memory for bodies, or for headers.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    small_size: usize,
    small: Tier,
    large: Tier,
}

/// The budget has too little memory left.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BudgetExceeded;

impl MemoryBudget {
    /// A budget for `count` reservations of up to `small_size` bytes, and `large` bytes for all
    /// larger ones.
    pub(super) fn new(small_size: usize, count: usize, large: usize) -> Arc<Self> {
        let small = Tier::new(small_size.saturating_mul(count));
        Arc::new(Self {
            small_size,
            small,
            large: Tier::new(large),
        })
    }

    /// Starts a reservation of zero bytes.
    pub(super) fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation {
            budget: Arc::clone(self),
            bytes: 0,
        }
    }

    /// Completes when a large reservation gives memory back after this call, even if that happens
    /// before the first poll.
    pub(super) fn freed(&self) -> impl Future<Output = ()> + '_ {
        self.large.freed.notified()
    }

    /// The largest size of a small reservation.
    pub(super) fn small_size(&self) -> usize {
        self.small_size
    }

    fn tier_of(&self, bytes: usize) -> &Tier {
        if bytes <= self.small_size {
            &self.small
        } else {
            &self.large
        }
    }
}

/// The memory for one body, or for the headers of one request. Dropping it gives the memory back.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Reservation {
    /// Changes the size to `bytes`.
    ///
    /// # Errors
    /// [`BudgetExceeded`]; then the reservation is unchanged.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), BudgetExceeded> {
        let (before, after) = (self.budget.tier_of(self.bytes), self.budget.tier_of(bytes));
        if std::ptr::eq(before, after) {
            match bytes.checked_sub(self.bytes) {
                Some(more) => after.take(more)?,
                None => after.give_back(self.bytes - bytes),
            }
        } else {
            after.take(bytes)?;
            before.give_back(self.bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    pub(super) fn budget(&self) -> &Arc<MemoryBudget> {
        &self.budget
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.tier_of(self.bytes).give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl MemoryBudget {
        pub(in super::super) fn free(&self) -> (usize, usize) {
            (
                self.small.free.load(Ordering::Relaxed),
                self.large.free.load(Ordering::Relaxed),
            )
        }
    }

    #[test]
    fn large_reservations_leave_small_ones_their_memory() {
        let budget = MemoryBudget::new(4, 2, 10);
        let (mut large, mut small, mut other) =
            (budget.reserve(), budget.reserve(), budget.reserve());
        assert_eq!(large.resize(10), Ok(()));
        assert_eq!(other.resize(5), Err(BudgetExceeded));
        assert_eq!((small.resize(4), other.resize(4)), (Ok(()), Ok(())));
        assert_eq!(
            budget.reserve().resize(1),
            Err(BudgetExceeded),
            "three are more than the count"
        );
        assert_eq!(large.resize(5), Ok(()));
        assert_eq!(other.resize(5), Ok(()), "it has become a large one");
        assert_eq!(
            budget.reserve().resize(4),
            Ok(()),
            "and has given its place back"
        );
        drop((large, small, other));
        assert_eq!(budget.free(), (8, 10));
    }

    proptest! {
        #[test]
        fn no_tier_is_ever_exceeded_and_all_memory_is_released(sizes in prop::collection::vec((0usize..4, 0usize..40), 0..50)) {
            let budget = MemoryBudget::new(8, 3, 64);
            let mut reservations: Vec<_> = (0..4).map(|_| budget.reserve()).collect();
            for (which, size) in sizes {
                let _ = reservations[which].resize(size);
                let sum = |small| reservations.iter().map(|r| r.bytes).filter(|bytes| (*bytes <= 8) == small).sum::<usize>();
                prop_assert_eq!((sum(true) + budget.free().0, sum(false) + budget.free().1), (24, 64));
            }
            drop(reservations);
            prop_assert_eq!(budget.free(), (24, 64));
        }
    }
}
