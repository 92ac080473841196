//! How the slots of a claim are divided between due and fresh deliveries.

use crate::store::{ClaimLimits, Truncated};

/// Whose turn it is, from one claim to the next.
#[derive(Debug, Default)]
pub(super) struct ClaimSplit {
    odd: bool,
    /// The last claim had a single slot, so it covered only one kind, and found nothing there.
    one_kind_is_empty: bool,
}

impl ClaimSplit {
    /// The limits of the next claim.
    pub(super) fn limits(
        &mut self,
        slots: usize,
        is_ordered: bool,
        last: Truncated,
    ) -> ClaimLimits {
        self.odd = !self.odd;
        if is_ordered {
            // A delivery of an ordered handler has a due time from the moment it has its key.
            return ClaimLimits {
                due: slots,
                fresh: 0,
            };
        }
        share(slots, self.odd, last)
    }

    /// Records a claim that found deliveries.
    pub(super) fn found(&mut self) {
        self.one_kind_is_empty = false;
    }

    /// Records a claim that found nothing more. Returns whether the other kind has to be claimed
    /// from before the claimer idles.
    pub(super) fn other_kind_is_next(&mut self, slots: usize, is_ordered: bool) -> bool {
        self.one_kind_is_empty = slots == 1 && !is_ordered && !self.one_kind_is_empty;
        self.one_kind_is_empty
    }
}

/// Gives half of the slots to due deliveries (with a due time, such as retries) and half to fresh
/// ones (without a due time), so that neither kind starves the other. The odd slot alternates. If
/// the last claim found all deliveries of one kind, that kind gets one slot until it fills it, and
/// the other kind gets the rest.
fn share(slots: usize, odd: bool, last: Truncated) -> ClaimLimits {
    let due = match (last.fresh, last.due) {
        (true, false) if slots > 1 => 1,
        (false, true) if slots > 1 => slots - 1,
        _ => (slots + usize::from(odd)) / 2,
    };
    ClaimLimits {
        due,
        fresh: slots - due,
    }
}

#[cfg(test)]
mod tests {
    use super::{Truncated, share};

    #[test]
    fn both_kinds_get_their_turn_of_a_single_slot() {
        for (fresh, due) in [(false, false), (true, false), (false, true), (true, true)] {
            for slots in 1..10 {
                let cut = Truncated { fresh, due };
                let (one, other) = (share(slots, true, cut), share(slots, false, cut));
                assert_eq!(
                    (one.due + one.fresh, other.due + other.fresh),
                    (slots, slots)
                );
                assert!(one.due + other.due > 0 && one.fresh + other.fresh > 0);
            }
        }
    }

    #[test]
    fn an_empty_kind_gives_its_slots_to_the_other() {
        let limits = |fresh, due| {
            let limits = share(64, false, Truncated { fresh, due });
            (limits.fresh, limits.due)
        };
        assert_eq!(
            [limits(true, false), limits(false, true), limits(true, true)],
            [(63, 1), (1, 63), (32, 32)]
        );
    }
}
