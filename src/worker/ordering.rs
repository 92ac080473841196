//! Wake-ups of ordered deliveries: the next delivery of an ordering key becomes due.

use super::wake::Wake;
use crate::store::{HandlerId, wake_keys};
use crate::throttle::throttled;
use sqlx::PgPool;

/// Makes the next delivery of each key due, after the commit that settled the previous one. If this
/// fails, a sweep finds the deliveries.
pub(super) async fn make_next_due(pool: &PgPool, wake: &Wake, handler: HandlerId, keys: &[&str]) {
    match wake_keys(pool, handler, keys).await {
        Ok(()) => wake.wake(),
        Err(error) => {
            throttled!(warn, %error,
                "the next delivery of an ordering key could not be made due; a sweep makes it due later")
        }
    }
}
