//! The open connections, and the choice of the one to close if there are too many.

use super::phase_timer::PhaseTimer;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};

/// The open connections, up to a limit.
pub(super) struct ConnectionTable {
    limit: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    last_id: u64,
    watches: HashMap<u64, Arc<PhaseTimer>>,
}

impl Entries {
    /// Removes and closes the connection with the least progress among those that hold at least
    /// `holding` bytes of a body. It closes none if that connection is `spared`.
    fn evict(&mut self, holding: usize, spared: Option<u64>) -> bool {
        let ranks = self
            .watches
            .iter()
            .filter_map(|(id, watch)| Some((watch.rank(holding)?, *id)));
        let Some((_, id)) = ranks.min() else {
            return false;
        };
        if spared == Some(id) {
            return false;
        }
        if let Some(watch) = self.watches.remove(&id) {
            watch.evict();
        }
        true
    }
}

/// Whether a new connection got an entry.
pub(super) enum Admission {
    /// An entry was free.
    Free(Entry),
    /// Another connection was closed for it.
    Evicted(Entry),
    /// All connections have complete requests that are being handled, so none may be closed.
    Full,
}

impl ConnectionTable {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            entries: Mutex::default(),
        })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock()
    }

    /// Makes an entry for a new connection.
    pub(super) fn admit(self: &Arc<Self>, watch: PhaseTimer) -> Admission {
        let mut entries = self.entries();
        let full = entries.watches.len() >= self.limit;
        if full && !entries.evict(0, None) {
            return Admission::Full;
        }
        entries.last_id += 1;
        let (id, watch) = (entries.last_id, Arc::new(watch));
        entries.watches.insert(id, Arc::clone(&watch));
        let entry = Entry {
            table: Arc::clone(self),
            id,
            watch,
        };
        if full {
            Admission::Evicted(entry)
        } else {
            Admission::Free(entry)
        }
    }

    /// Closes the connection with the least progress. Returns whether there was one.
    pub(super) fn evict_one(&self) -> bool {
        self.entries().evict(0, None)
    }
}

/// The entry of a connection in the table. Dropping it frees the entry.
pub(super) struct Entry {
    table: Arc<ConnectionTable>,
    id: u64,
    pub(super) watch: Arc<PhaseTimer>,
}

impl Entry {
    /// The interface by which a handler may close other connections.
    pub(super) fn rivals(&self) -> Rivals {
        Rivals {
            table: Arc::clone(&self.table),
            id: self.id,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.table.entries().watches.remove(&self.id);
    }
}

/// The other connections of the same server, as an extension of the request. Its handler may close
/// one of them.
#[derive(Clone)]
pub(crate) struct Rivals {
    table: Arc<ConnectionTable>,
    id: u64,
}

impl Rivals {
    /// Closes the connection with the least progress among those that hold at least `holding` bytes
    /// of an unfinished body. Returns `false` if there is none, or if it is the caller's own.
    pub(crate) fn evict_holder(&self, holding: usize) -> bool {
        self.table.entries().evict(holding, Some(self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn watch() -> PhaseTimer {
        PhaseTimer::new(Duration::from_secs(5), Duration::from_secs(75))
    }

    fn admitted(admission: Admission) -> Entry {
        match admission {
            Admission::Free(entry) | Admission::Evicted(entry) => entry,
            Admission::Full => panic!("no place"),
        }
    }

    async fn is_evicted(entry: &Entry) -> bool {
        tokio::time::timeout(Duration::ZERO, entry.watch.evicted())
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn the_longest_idle_is_evicted_first_and_a_handled_request_never() {
        let table = ConnectionTable::new(3);
        let [handled, first, second] = [(); 3].map(|()| admitted(table.admit(watch())));
        handled.watch.request(false);
        first.watch.answered();
        second.watch.answered();
        first.watch.bytes_read(&[0; 10]);
        let third = admitted(table.admit(watch()));
        assert!(
            is_evicted(&second).await && !is_evicted(&first).await,
            "the one without a byte since then"
        );
        let _fourth = admitted(table.admit(watch()));
        assert!(
            is_evicted(&first).await && !is_evicted(&third).await && !is_evicted(&handled).await
        );

        drop((first, second));
        third.watch.request(false);
        let fifth = admitted(table.admit(watch()));
        fifth.watch.request(false);
        assert!(
            matches!(table.admit(watch()), Admission::Full),
            "all are handled"
        );
        drop(third);
        assert!(matches!(table.admit(watch()), Admission::Free(_)));
    }

    #[tokio::test]
    async fn the_slowest_holder_of_memory_is_evicted_unless_it_is_the_requester() {
        let table = ConnectionTable::new(3);
        let [idle, slow, requester] = [(); 3].map(|()| admitted(table.admit(watch())));
        for (entry, bytes) in [(&slow, 2000), (&requester, 3000)] {
            entry.watch.request(true);
            entry.watch.body_read(bytes);
        }
        assert!(
            !requester.rivals().evict_holder(2500),
            "it is the only one that holds so much"
        );
        assert!(requester.rivals().evict_holder(1000));
        assert!(
            is_evicted(&slow).await && !is_evicted(&idle).await && !is_evicted(&requester).await
        );
    }
}
