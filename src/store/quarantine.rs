//! Evidence: requests that failed verification, bounded per source.
//!
//! What was answered 200 is a promise, and has bounds of its own: it is never evicted, and nothing else takes its room.

use super::{Connection, SourceId, StoreError, error::within};
use crate::domain::StorableText;
use bytes::Bytes;

const KEEP: &str = include_str!("sql/quarantine_keep.sql");
const EVICT: &str = include_str!("sql/quarantine_evict.sql");

/// A request that failed verification, as the store takes it.
#[derive(Clone, Debug)]
pub struct NewEvidence {
    /// The source it claimed to be of.
    pub source: SourceId,
    /// Why it failed.
    pub reason: &'static str,
    /// SHA-256 of what makes two of them identical.
    pub digest: [u8; 32],
    /// The last part of the URL.
    pub topic: Option<StorableText>,
    /// The headers as a JSON object.
    pub headers: String,
    /// How it is answered, and what is kept of its body for it.
    pub body: EvidenceBody,
}

/// What is kept of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidenceBody {
    /// All of it, and the request is answered 200: it is kept until an operator decides.
    Answered(Bytes),
    /// All of it; the request is answered 401.
    Whole(Bytes),
    /// Its beginning; the request is answered 401.
    Excerpt {
        /// The first bytes.
        start: Bytes,
        /// The length of all of it.
        bytes: usize,
        /// SHA-256 of all of it.
        sha256: [u8; 32],
    },
}

impl EvidenceBody {
    fn is_answered(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    /// What is stored.
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

/// What some of a source's evidence may take: all that was answered 200, or that of one reason that was answered 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceBound {
    /// Rows.
    pub rows: i64,
    /// Bytes of bodies.
    pub bytes: i64,
}

impl Connection {
    /// Keeps a request as evidence, or counts it if an identical one is there; `false` where it is to be answered 200
    /// and the bound is reached. For one that is answered 401 others of the same reason may leave.
    ///
    /// # Errors
    /// Where the statement failed.
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
