//! Rows that are the same for all visitors of a role, which are read once for them and kept for some
//! seconds, so that the cost of open tabs does not grow with their number.

use crate::store::AsVisitor;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long they are shown at least without being read again.
const FRESH: Duration = Duration::from_secs(3);
/// They are shown so many times as long as reading them took, up to [`LONGEST`], so that reading them
/// takes a hundredth of the time.
const TIMES: u32 = 100;
const LONGEST: Duration = Duration::from_secs(10);
/// How long a visitor waits for another one that reads them.
const WAIT: Duration = Duration::from_secs(1);

struct Kept<T> {
    until: Instant,
    rows: Arc<T>,
}

/// Locked while a visitor reads the rows.
type Slot<T> = Arc<tokio::sync::Mutex<Option<Kept<T>>>>;

/// Rows by role, since roles see different things, and by what they are about.
pub(super) struct SharedByRole<T>(Mutex<HashMap<(String, String), Slot<T>>>);

impl<T> Default for SharedByRole<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> SharedByRole<T> {
    /// Reads everything again when it is needed next.
    pub(super) fn forget(&self) {
        self.0.lock().clear();
    }

    /// The rows about `subject` (empty for the whole system) for the visitor's role. Of several visitors at once, one reads them.
    pub(super) async fn of<E>(
        &self,
        visit: &mut AsVisitor,
        subject: &str,
        read: impl AsyncFnOnce(&mut AsVisitor) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let slot = self.slot(&visit.visitor.role, subject);
        // If the other one takes long, its result may never come.
        let Ok(mut kept) = tokio::time::timeout(WAIT, slot.lock()).await else {
            return read(visit).await.map(Arc::new);
        };
        if let Some(kept) = &*kept
            && Instant::now() < kept.until
        {
            return Ok(kept.rows.clone());
        }
        let began = Instant::now();
        let rows = Arc::new(read(visit).await?);
        *kept = Some(Kept {
            until: began + (TIMES * began.elapsed()).clamp(FRESH, LONGEST),
            rows: rows.clone(),
        });
        Ok(rows)
    }

    fn slot(&self, role: &str, subject: &str) -> Slot<T> {
        let mut slots = self.0.lock();
        let key = (role.to_owned(), subject.to_owned());
        if let Some(slot) = slots.get(&key) {
            return slot.clone();
        }
        // Nothing is kept of subjects that nobody looks at any more, or that do not exist.
        let now = Instant::now();
        slots.retain(|_, slot| {
            let is_kept = |slot: &Slot<T>| {
                (slot.try_lock())
                    .is_ok_and(|rows| rows.as_ref().is_some_and(|rows| now < rows.until))
            };
            Arc::strong_count(slot) > 1 || is_kept(slot)
        });
        slots.entry(key).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_looks_at_any_more_is_not_kept() {
        let shared = SharedByRole::<u8>::default();
        let keep = async |subject, until| {
            *shared.slot("reader", subject).lock().await = Some(Kept {
                until,
                rows: Arc::new(1),
            });
        };
        let now = Instant::now();
        keep("shop", now).await;
        keep("crm", now + Duration::from_secs(60)).await;
        drop(shared.slot("reader", "unknown"));
        let locked = shared.slot("reader", "locked");
        let guard = locked.lock().await;
        shared.slot("reader", "next");
        let mut subjects: Vec<_> = shared.0.lock().keys().map(|(_, of)| of.clone()).collect();
        subjects.sort();
        assert_eq!(subjects, ["crm", "locked", "next"]);
        drop(guard);
    }
}
