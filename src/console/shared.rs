//! Rows about the whole system, which are read once for all visitors of a role and kept for some
//! seconds, so that the cost of open tabs does not grow with their number.

use crate::store::AsVisitor;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long it is shown at least without being read again.
const FRESH: Duration = Duration::from_secs(3);
/// It is shown at least so many times as long as reading it took, so that for each role reading it
/// takes at most a fortieth of the time.
const TIMES: u32 = 40;
/// How long a visitor waits for another one that reads it.
const WAIT: Duration = Duration::from_secs(1);

struct Kept<T> {
    until: Instant,
    value: Arc<T>,
}

type Slot<T> = Arc<tokio::sync::Mutex<Option<Kept<T>>>>;

/// Values by role, since roles see different things.
pub(super) struct SharedByRole<T>(Mutex<HashMap<String, Slot<T>>>);

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

    /// The value for the visitor's role. Of several visitors at once, one reads it.
    pub(super) async fn of<E>(
        &self,
        visit: &mut AsVisitor,
        read: impl AsyncFnOnce(&mut AsVisitor) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let slot = self
            .0
            .lock()
            .entry(visit.visitor.role.clone())
            .or_default()
            .clone();
        // If the other one takes long, its result may never come.
        let Ok(mut kept) = tokio::time::timeout(WAIT, slot.lock()).await else {
            return read(visit).await.map(Arc::new);
        };
        if let Some(kept) = &*kept
            && Instant::now() < kept.until
        {
            return Ok(kept.value.clone());
        }
        let began = Instant::now();
        let value = Arc::new(read(visit).await?);
        *kept = Some(Kept {
            until: began + FRESH.max(TIMES * began.elapsed()),
            value: value.clone(),
        });
        Ok(value)
    }
}
