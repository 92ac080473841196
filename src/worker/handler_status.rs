//! Records changes of a handler's circuit breaker, and pauses a handler whose endpoint is gone.

use super::{Shared, breaker::Change, handler_runtime::HandlerRuntime};
use crate::domain::StorableText;
use crate::store::{note_breaker, pause_gone_handler};
use crate::telemetry::metrics::BreakerChange;
use crate::throttle::throttled;

/// Records a change of the circuit breaker in the log, the metrics and the registry.
pub(super) async fn note(runtime: &HandlerRuntime, shared: &Shared, change: Change) {
    let (change, pause) = match change {
        Change::Opened(pause) => {
            tracing::warn!(handler = %runtime.name, ?pause,
                "the handler is unavailable, so its circuit breaker opened; its deliveries wait and use up no \
                 attempts, and one delivery probes the handler after the pause");
            (BreakerChange::Opened, Some(pause))
        }
        Change::StaysOpen(pause) => {
            tracing::info!(handler = %runtime.name, ?pause, "the handler is still unavailable");
            (BreakerChange::ProbeFailed, Some(pause))
        }
        Change::Closed => {
            tracing::info!(handler = %runtime.name,
                "the handler is available again, so its circuit breaker closed; its waiting deliveries are dispatched");
            (BreakerChange::Closed, None)
        }
    };
    shared.metrics.breaker_changed(&runtime.label, change);
    if let Err(error) = note_breaker(&shared.pool, runtime.id, pause).await {
        throttled!(warn, %error, handler = %runtime.name,
            "a change of the circuit breaker could not be recorded in the registry");
    }
}

/// Pauses a handler that reported that it is gone forever.
pub(super) async fn pause(
    runtime: &HandlerRuntime,
    shared: &Shared,
    why: &str,
    status: Option<u16>,
) {
    let why = StorableText::error(why);
    match pause_gone_handler(&shared.pool, &runtime.name, why.as_str(), status).await {
        Ok(()) => tracing::error!(handler = %runtime.name,
            "the handler reports that its endpoint is gone, so it was paused; its deliveries wait. The reason is in \
             hookfast.handler_health. When the endpoint is back: SELECT hookfast.resume_handler('{}', why => 'it is \
             back')", runtime.name),
        Err(error) => {
            throttled!(error, %error, handler = %runtime.name,
                "a handler that reports that its endpoint is gone could not be paused")
        }
    }
}
