//! Limits how many deliveries of a handler the claimer may claim now, by the handler's rate limit
//! and circuit breaker.

use super::{
    breaker::{Circuit, May, Probe},
    token_bucket::TokenBucket,
};
use crate::domain::Rate;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The limits that the claimer checks before each claim.
pub(super) struct AdmissionControl {
    bucket: Option<TokenBucket>,
    circuit: Option<Arc<Circuit>>,
}

/// How many deliveries one claim may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub(super) most: usize,
    probe: bool,
}

impl AdmissionControl {
    pub(super) fn new(rate: Option<Rate>, circuit: Option<Arc<Circuit>>) -> Self {
        Self {
            bucket: rate.map(|rate| TokenBucket::new(rate, Instant::now())),
            circuit,
        }
    }

    /// How many deliveries may be claimed now, or how long to wait before the next claim.
    pub(super) fn ask(&mut self, now: Instant) -> Result<Admission, Duration> {
        let most = self
            .bucket
            .as_mut()
            .map_or(Ok(usize::MAX), |bucket| bucket.ready(now))?;
        match self
            .circuit
            .as_ref()
            .map_or(May::Claim, |circuit| circuit.may(now))
        {
            May::Claim => Ok(Admission { most, probe: false }),
            May::Probe => Ok(Admission {
                most: 1,
                probe: true,
            }),
            May::Wait(wait) => Err(wait),
        }
    }

    /// Counts a claimed delivery that is about to start. Returns the probe if this delivery is one.
    pub(super) fn start(&mut self, allowance: Admission) -> Option<Probe> {
        if let Some(bucket) = &mut self.bucket {
            bucket.take();
        }
        self.circuit.as_ref().filter(|_| allowance.probe)?.probe()
    }
}
