//! Handlers whose Postgres function is missing or may not be executed. Each starts once its
//! function can be called.

use super::open::{Opened, WaitingHandler};
use crate::store::{ResolveError, SqlFunction};
use sqlx::PgPool;
use std::time::Duration;

/// How often a missing function is looked up again.
const EVERY: Duration = Duration::from_secs(1);

/// Logs why a handler waits.
pub(super) fn report(waiting: &WaitingHandler) {
    let WaitingHandler {
        name: handler,
        function,
        reason,
    } = waiting;
    match reason {
        ResolveError::Forbidden { grant, .. } => tracing::warn!(
            %handler,
            function,
            "the handler waits until this role may execute its function; its events are stored, and delivered afterwards. \
             Have the owner of the function run: {grant}"
        ),
        ResolveError::Missing { .. } | ResolveError::Store(_) => tracing::warn!(
            %handler,
            function,
            "the handler waits for its function; its events are stored, and delivered once it exists. \
             Create it: CREATE FUNCTION {function}(event hookfast.event) RETURNS void …"
        ),
    }
}

/// Waits until at least one of the functions can be called, and moves their handlers from `waiting`
/// to `functions`.
pub(super) async fn wait(opened: &mut Opened) {
    loop {
        tokio::time::sleep(EVERY).await;
        if find(&opened.pool.clone(), opened).await {
            return;
        }
    }
}

async fn find(pool: &PgPool, opened: &mut Opened) -> bool {
    let before = opened.waiting.len();
    for mut waiting in std::mem::take(&mut opened.waiting) {
        match SqlFunction::resolve(pool, &waiting.function).await {
            Ok(function) => {
                let WaitingHandler {
                    name: handler,
                    function: name,
                    ..
                } = waiting;
                tracing::info!(%handler, function = name,
                    "the handler's function can be called; its deliveries start now");
                opened.functions.insert(handler, function);
                continue;
            }
            // An unreachable database does not change why the handler waits.
            Err(ResolveError::Store(_)) => {}
            Err(reason) if reason.to_string() == waiting.reason.to_string() => {}
            Err(reason) => {
                waiting.reason = reason;
                report(&waiting);
            }
        }
        opened.waiting.push(waiting);
    }
    opened.waiting.len() < before
}
