//! Reads request bodies within the limits for size, time, minimum rate and memory.

use super::memory::{BudgetExceeded, MemoryBudget, Reservation};
use crate::domain::IngressLimits;
use crate::http_server::{BodyError, Pace, Rivals};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// The smallest buffer for a body of unknown length.
const FIRST_BUFFER: usize = 4 * 1024;

/// How far a sender may fall behind the minimum rate. It is longer than a few lost packets take to
/// be sent again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait for the memory of a body that was evicted for this one.
const MEMORY_WAIT: Duration = Duration::from_millis(500);

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Longer than the limit, by its declared or its actual length.
    TooLarge,
    /// Not complete in time, or slower than the minimum rate.
    TooSlow,
    /// It ended early, or its chunks are malformed.
    Broken,
    /// The bodies in flight leave no memory for it.
    NoRoom,
    /// Its connection is closed in favour of another one.
    Evicted,
}

impl From<BudgetExceeded> for Unread {
    fn from(_: BudgetExceeded) -> Self {
        Self::NoRoom
    }
}

impl From<axum::Error> for Unread {
    fn from(error: axum::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(error) = cause {
            if let Some(BodyError::Evicted) = error.downcast_ref() {
                return Self::Evicted;
            }
            cause = error.source();
        }
        Self::Broken
    }
}

/// Reads the whole body. Its memory is given back when the last copy of the bytes is dropped.
pub(super) async fn read(
    body: Body,
    limits: &IngressLimits,
    memory: &Arc<MemoryBudget>,
    rivals: Option<&Rivals>,
) -> Result<Bytes, Unread> {
    let declared = body
        .size_hint()
        .exact()
        .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if declared.is_some_and(|bytes| bytes > limits.body_bytes) {
        return Err(Unread::TooLarge);
    }
    let most = declared.unwrap_or(limits.body_bytes);
    let pace = Pace::new(limits.body_rate, Instant::now());
    let collected = timeout(
        limits.body_time,
        collect(body, most, pace, memory.reserve(), rivals),
    )
    .await;
    collected.unwrap_or(Err(Unread::TooSlow))
}

/// Collects at most `most` bytes. The buffer grows with the bytes received, and is never allocated
/// for the declared length in advance. The reservation covers the buffer's capacity.
async fn collect(
    mut body: Body,
    most: usize,
    mut pace: Pace,
    mut reservation: Reservation,
    rivals: Option<&Rivals>,
) -> Result<Bytes, Unread> {
    let mut bytes = Vec::new();
    loop {
        let frame = timeout_at(pace.paid_until() + PATIENCE, body.frame())
            .await
            .map_err(|_| Unread::TooSlow)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        pace.received(data.len(), Instant::now());
        let length = bytes.len() + data.len();
        if length > most {
            return Err(Unread::TooLarge);
        }
        if length > bytes.capacity() {
            let capacity = length.max(2 * bytes.capacity()).max(FIRST_BUFFER).min(most);
            grow(&mut reservation, capacity, rivals).await?;
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    if bytes.is_empty() {
        return Ok(Bytes::new());
    }
    let bytes = bytes.into_boxed_slice();
    // If the memory for small bodies is used up, the body keeps the larger reservation.
    let _ = reservation.resize(bytes.len());
    Ok(Bytes::from_owner(Kept {
        bytes,
        _reservation: reservation,
    }))
}

/// Reserves more memory. If there is none, it evicts unfinished large bodies that make less
/// progress.
async fn grow(
    reservation: &mut Reservation,
    bytes: usize,
    rivals: Option<&Rivals>,
) -> Result<(), BudgetExceeded> {
    let budget = Arc::clone(reservation.budget());
    loop {
        let freed = budget.freed();
        if reservation.resize(bytes).is_ok() {
            return Ok(());
        }
        if !rivals.is_some_and(|rivals| rivals.evict_holder(budget.small_size())) {
            return Err(BudgetExceeded);
        }
        timeout(MEMORY_WAIT, freed)
            .await
            .map_err(|_| BudgetExceeded)?;
    }
}

/// A body with the memory it has reserved. Both are released together.
struct Kept {
    bytes: Box<[u8]>,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Whether a body begins like a JSON object or array. This is enough to distinguish it from
/// a form or a compressed body.
pub(super) fn may_be_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn of_chunks(chunks: Vec<Vec<u8>>) -> Body {
        Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, Infallible>)))
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.expect("a runtime").block_on(future)
    }

    fn limits(body_bytes: usize) -> IngressLimits {
        IngressLimits {
            body_bytes,
            ..IngressLimits::default()
        }
    }

    /// Small bodies have up to 4 KiB, enough for one. Larger ones have 20,000 bytes.
    fn memory() -> Arc<MemoryBudget> {
        MemoryBudget::new(4096, 1, 20_000)
    }

    proptest! {
        #[test]
        fn any_chunks_are_joined_up_to_the_limit(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6000), 0..8)) {
            let (whole, memory) = (chunks.concat(), memory());
            let read = block_on(read(of_chunks(chunks), &limits(20_000), &memory, None));
            if whole.len() <= 20_000 {
                let read = read.expect("within the limit");
                prop_assert_eq!(&read[..], &whole[..]);
                let taken = if whole.len() > 4096 { (0, whole.len()) } else { (whole.len(), 0) };
                prop_assert_eq!(memory.free(), (4096 - taken.0, 20_000 - taken.1), "neither more nor less");
            } else {
                prop_assert_eq!(read, Err(Unread::TooLarge));
            }
            prop_assert_eq!(memory.free(), (4096, 20_000), "given back with the last copy");
        }
    }

    #[test]
    fn a_body_without_memory_is_rejected_and_reserves_none() {
        let memory = MemoryBudget::new(1000, 1, 5000);
        let large = || of_chunks(vec![vec![2; 1500], vec![3; 1500]]);
        let first = block_on(read(
            Body::from(vec![1; 3000]),
            &limits(10_000),
            &memory,
            None,
        ))
        .expect("memory for it");
        assert_eq!(
            block_on(read(large(), &limits(10_000), &memory, None)),
            Err(Unread::NoRoom)
        );
        let small = block_on(read(
            Body::from(vec![4; 1000]),
            &limits(10_000),
            &memory,
            None,
        ));
        assert_eq!(small.expect("memory of its own").len(), 1000);
        drop(first);
        assert_eq!(
            block_on(read(large(), &limits(10_000), &memory, None))
                .expect("memory again")
                .len(),
            3000
        );
    }
}
