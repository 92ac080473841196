//! Handlers whose Postgres functions are missing: each is served once its function is there.

use super::open::Opened;
use crate::domain::HandlerName;
use crate::store::{ResolveError, SqlFunction};
use sqlx::PgPool;
use std::time::Duration;

/// How often a missing function is looked up.
const EVERY: Duration = Duration::from_secs(1);

/// Logs which handlers wait, and for what.
pub(super) fn report_missing(missing: &[(HandlerName, String)]) {
    for (handler, function) in missing {
        tracing::warn!(
            %handler,
            function,
            "the handler waits for its function; its webhooks are stored and delivered once it exists. \
             Create it: CREATE FUNCTION {function}(event hookfast.event) RETURNS void …"
        );
    }
}

/// Waits until at least one of the missing functions exists, and moves those that do to the others.
pub(super) async fn wait(opened: &mut Opened) {
    loop {
        tokio::time::sleep(EVERY).await;
        if find(&opened.pool.clone(), opened).await {
            return;
        }
    }
}

async fn find(pool: &PgPool, opened: &mut Opened) -> bool {
    let mut still_missing = Vec::new();
    let before = opened.missing.len();
    for (handler, name) in std::mem::take(&mut opened.missing) {
        match SqlFunction::resolve(pool, &name).await {
            Ok(function) => {
                tracing::info!(%handler, function = name, "the handler's function exists; it is served from now on");
                opened.functions.insert(handler, function);
            }
            // A database that is away is not the function's absence either; both are looked at again.
            Err(ResolveError::Missing { .. } | ResolveError::Store(_)) => still_missing.push((handler, name)),
        }
    }
    opened.missing = still_missing;
    opened.missing.len() < before
}
