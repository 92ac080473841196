//! Evidence: requests that failed verification, bounded per source.

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
    /// The body.
    pub body: Bytes,
}

/// What a source's evidence may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceBound {
    /// Rows.
    pub rows: i64,
    /// Bytes of bodies.
    pub bytes: i64,
}

impl Connection {
    /// Keeps a request as evidence, or counts it if an identical one is there; `false` where the bound is reached
    /// and `evict` is not wished for.
    ///
    /// # Errors
    /// Where the statement failed.
    pub async fn keep_evidence(
        &mut self,
        evidence: &NewEvidence,
        bound: EvidenceBound,
        evict: bool,
    ) -> Result<bool, StoreError> {
        let kept: bool = within(
            self.deadline(),
            "keep evidence",
            sqlx::query_scalar(KEEP)
                .bind(evidence.source.0)
                .bind(&evidence.digest[..])
                .bind(evidence.reason)
                .bind(evidence.topic.as_ref().map(StorableText::as_str))
                .bind(&evidence.headers)
                .bind(&evidence.body[..])
                .bind(bound.rows)
                .bind(bound.bytes)
                .bind(evict)
                .fetch_one(&mut self.inner),
        )
        .await?;
        if kept && evict {
            within(
                self.deadline(),
                "evict evidence",
                sqlx::query(EVICT).bind(evidence.source.0).bind(bound.rows).bind(bound.bytes).execute(&mut self.inner),
            )
            .await?;
        }
        Ok(kept)
    }
}
