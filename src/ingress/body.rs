//! Reading a body: capped, in time, and counted as it comes.

use super::limits::{Full, Limits, Room, Share};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::sync::Arc;
use tokio::time::timeout;

/// The smallest buffer for a body of unknown length.
const FIRST_BUFFER: usize = 4 * 1024;

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Longer than may be, as declared or as it came.
    TooLarge,
    /// Not there in time.
    TooSlow,
    /// It ended early, or its chunks are malformed.
    Broken,
    /// All bodies in flight leave no room for it.
    NoRoom,
}

impl From<Full> for Unread {
    fn from(_: Full) -> Self {
        Self::NoRoom
    }
}

/// The whole body. Its room is given back when the last copy of the bytes is dropped.
pub(super) async fn read(body: Body, limits: &Limits, room: &Arc<Room>) -> Result<Bytes, Unread> {
    let declared = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if declared.is_some_and(|bytes| bytes > limits.body_bytes) {
        return Err(Unread::TooLarge);
    }
    let most = declared.unwrap_or(limits.body_bytes);
    timeout(limits.body_time, collect(body, most, room.share())).await.unwrap_or(Err(Unread::TooSlow))
}

/// Collects at most `most` bytes. The buffer grows with what has come, never ahead to what was declared, and what
/// it could hold is what it takes of the room.
async fn collect(mut body: Body, most: usize, mut share: Share) -> Result<Bytes, Unread> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > most {
            return Err(Unread::TooLarge);
        }
        if length > bytes.capacity() {
            let capacity = length.max(2 * bytes.capacity()).max(FIRST_BUFFER).min(most);
            share.resize(capacity)?;
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    if bytes.is_empty() {
        return Ok(Bytes::new());
    }
    let bytes = bytes.into_boxed_slice();
    share.resize(bytes.len())?;
    Ok(Bytes::from_owner(Kept { bytes, _share: share }))
}

/// A body with its share of the room, which goes when it goes.
struct Kept {
    bytes: Box<[u8]>,
    _share: Share,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(future)
    }

    fn limits(body_bytes: usize) -> Limits {
        Limits { body_bytes, ..Limits::default() }
    }

    proptest! {
        #[test]
        fn any_chunks_are_put_together_up_to_the_limit(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6000), 0..8)) {
            let (whole, room) = (chunks.concat(), Room::new(20_000));
            let read = block_on(read(of_chunks(chunks), &limits(20_000), &room));
            if whole.len() <= 20_000 {
                let read = read.expect("within the limit");
                prop_assert_eq!(&read[..], &whole[..]);
                prop_assert_eq!(room.share().resize(20_000 - whole.len()), Ok(()), "not more is taken than it has");
                prop_assert_eq!(room.share().resize(20_001 - whole.len()), Err(Full), "nor less");
            } else {
                prop_assert_eq!(read, Err(Unread::TooLarge));
            }
            prop_assert_eq!(room.share().resize(20_000), Ok(()), "given back with the last copy");
        }
    }

    #[test]
    fn a_body_that_finds_no_room_is_refused_and_takes_none() {
        let room = Room::new(5000);
        let first = block_on(read(Body::from(vec![1; 3000]), &limits(10_000), &room)).expect("room for it");
        let second = block_on(read(of_chunks(vec![vec![2; 1500], vec![3; 1500]]), &limits(10_000), &room));
        assert_eq!(second, Err(Unread::NoRoom));
        drop(first);
        let again = block_on(read(of_chunks(vec![vec![2; 1500], vec![3; 1500]]), &limits(10_000), &room));
        assert_eq!(again.expect("room again").len(), 3000);
    }
}
