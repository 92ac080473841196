//! Applies retention once an hour.

use super::Maintenance;
use crate::store::{PurgeReport, purge_expired};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(3600);

/// The pause before the first run, so that it does not compete with the start of the process.
const FIRST: Duration = Duration::from_secs(60);

/// The pause after a day's partition was in use or something failed.
const AGAIN: Duration = Duration::from_secs(60);

pub(super) async fn run(maintenance: &Maintenance, stop: &CancellationToken) {
    let mut pause = FIRST;
    while stop
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        pause = EVERY;
        match purge_expired(&maintenance.database, || stop.is_cancelled()).await {
            Ok(left) if left == PurgeReport::default() => {}
            Ok(left) => {
                tracing::info!(
                    days = left.days,
                    days_with_survivors = left.days_with_survivors,
                    rows = left.rows,
                    "purged expired data"
                );
                if left.days_in_use > 0 {
                    tracing::warn!(
                        days = left.days_in_use,
                        "expired days are in use and could not be purged, retrying in a minute"
                    );
                }
                if left.days_in_use > 0 || left.failed > 0 {
                    pause = AGAIN;
                }
            }
            Err(error) => {
                tracing::error!(%error, "expired data could not be purged, retrying; nothing else is affected")
            }
        }
    }
}
