//! Quarantines requests that failed verification, in bounded numbers for each source.
//!
//! A request that was answered 200 is a promise. Such requests have bounds of their own: they are
//! never evicted, and other requests do not use their space.

use super::{Connection, SourceId, StoreError, error::within};
use crate::domain::StorableText;
use bytes::Bytes;

const KEEP: &str = include_str!("sql/quarantine_keep.sql");
const EVICT: &str = include_str!("sql/quarantine_evict.sql");

/// A request that failed verification and is ready to be stored.
#[derive(Clone, Debug)]
pub struct NewEvidence {
    /// The source that the request claims to come from.
    pub source: SourceId,
    /// Why the verification failed.
    pub reason: &'static str,
    /// A SHA-256 digest that is the same for identical requests.
    pub digest: [u8; 32],
    /// The topic, the last part of the URL.
    pub topic: Option<StorableText>,
    /// The headers of the request as a JSON object.
    pub headers: String,
    /// How the request is answered, and how much of its body is stored.
    pub body: EvidenceBody,
}

/// How much of a body is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidenceBody {
    /// The whole body. The request is answered 200, and is kept until an operator decides.
    Answered(Bytes),
    /// The whole body. The request is answered 401.
    Whole(Bytes),
    /// The beginning of the body. The request is answered 401.
    Excerpt {
        /// The first bytes of the body.
        start: Bytes,
        /// The length of the whole body.
        bytes: usize,
        /// The SHA-256 digest of the whole body.
        sha256: [u8; 32],
    },
}

impl EvidenceBody {
    fn is_answered(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    /// The part of the body that is stored.
    pub fn stored(&self) -> &Bytes {
        match self {
            Self::Answered(body) | Self::Whole(body) | Self::Excerpt { start: body, .. } => body,
        }
    }

    fn whole(&self) -> (Option<i64>, Option<&[u8]>) {
        match self {
            Self::Excerpt { bytes, sha256, .. } => (i64::try_from(*bytes).ok(), Some(sha256)),
            Self::Answered(_) | Self::Whole(_) => (None, None),
        }
    }
}

/// The maximum size of a part of a source's quarantine: of all requests that were answered 200, or
/// of those with one reason that were answered 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceBound {
    /// The maximum number of rows.
    pub rows: i64,
    /// The maximum number of bytes in bodies.
    pub bytes: i64,
}

impl Connection {
    /// Quarantines a request, or counts it if an identical one is stored. Returns `false` if it is
    /// to be answered 200 and the bound is reached. A request that is answered 401 may evict others
    /// with the same reason.
    ///
    /// # Errors
    /// If the statement fails.
    pub async fn keep_evidence(
        &mut self,
        evidence: &NewEvidence,
        bound: EvidenceBound,
    ) -> Result<bool, StoreError> {
        let (whole_bytes, sha256) = evidence.body.whole();
        let keep = sqlx::query_scalar(KEEP)
            .bind(evidence.source.0)
            .bind(&evidence.digest[..])
            .bind(evidence.reason)
            .bind(evidence.topic.as_ref().map(StorableText::as_str))
            .bind(&evidence.headers)
            .bind(&evidence.body.stored()[..])
            .bind(whole_bytes)
            .bind(sha256)
            .bind(evidence.body.is_answered())
            .bind(bound.rows)
            .bind(bound.bytes);
        let limit = self.deadline();
        let kept: bool = within(limit, "keep evidence", keep.fetch_one(&mut self.inner)).await?;
        if !evidence.body.is_answered() {
            let evict = sqlx::query(EVICT)
                .bind(evidence.source.0)
                .bind(evidence.reason)
                .bind(bound.rows)
                .bind(bound.bytes);
            within(limit, "evict evidence", evict.execute(&mut self.inner)).await?;
        }
        Ok(kept)
    }
}
