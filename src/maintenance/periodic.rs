//! Jobs that one process at a time does for all. Each has its own loop: a slow or failing job, such
//! as the indexing of large bodies, delays no alert.

use super::{Maintenance, STUCK};
use crate::store::{
    EventIndexer, announce_conflicts, announce_dead, discard_retired, newest_alerts, step_replays,
    watch as look,
};
use crate::throttle::throttled;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The pause if there is more to do. With it, a job takes almost nothing from the work that
/// produces more.
const MORE: Duration = Duration::from_millis(100);

/// The pause if there is nothing to do.
const IDLE: Duration = Duration::from_secs(2);

/// The longest pauses of jobs that have had nothing to do for a while: each check is a transaction.
/// Indexing may wait, because `hookfast.find` also searches the newest events, which are not
/// indexed yet.
const INDEX_IDLE: Duration = Duration::from_secs(5);
const ALERTS_IDLE: Duration = Duration::from_secs(4);

/// The pause between steps of a replay. The rate of a replay is per second.
const REPLAY: Duration = Duration::from_millis(500);

/// How many alerts of a kind one step raises.
const ALERTS: i64 = 200;

/// How many deliveries of retired handlers one step discards, and the pause if there are none.
const DISCARDED: i64 = 2000;
const RETIRED: Duration = Duration::from_secs(10);

/// How often alert conditions are evaluated.
const WATCH: Duration = Duration::from_secs(10);

/// Whether there is more to do; `false` if the step failed. It is a macro so that each use has its
/// own log throttle: the failure of one job must not hide that of another.
macro_rules! or_later {
    ($step:expr, $later:literal) => {
        $step.unwrap_or_else(|error| {
            throttled!(warn, %error, concat!($later, ", retrying; nothing else is affected"));
            false
        })
    };
}

/// The pauses of a job that often has nothing to do. They double each time, until there is work
/// again.
struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    fn up_to(longest: Duration) -> Self {
        Self {
            next: IDLE,
            longest,
        }
    }

    fn after(&mut self, more: bool) -> Duration {
        if more {
            self.next = IDLE;
            return MORE;
        }
        let pause = self.next;
        self.next = (2 * pause).min(self.longest);
        pause
    }
}

pub(super) async fn index(maintenance: &Maintenance, stop: &CancellationToken) {
    let heartbeat = maintenance.heartbeats.register("index", STUCK);
    let (mut new, mut older) = (
        EventIndexer::of_new_events(),
        EventIndexer::of_older_events(),
    );
    let mut pauses = Pauses::up_to(INDEX_IDLE);
    loop {
        heartbeat.tick();
        let step = new.step(&maintenance.pool).await;
        let mut more = or_later!(
            step,
            "new events could not be indexed for the search by payload"
        );
        if !more {
            let step = older.step(&maintenance.pool).await;
            more = or_later!(
                step,
                "stored events could not be indexed by new search fields"
            );
        }
        if ends(stop, pauses.after(more)).await {
            break;
        }
    }
    heartbeat.retire();
}

pub(super) async fn alerts(maintenance: &Maintenance, stop: &CancellationToken) {
    let heartbeat = maintenance.heartbeats.register("alerts", STUCK);
    let mut pauses = Pauses::up_to(ALERTS_IDLE);
    loop {
        heartbeat.tick();
        let conflicts = announce_conflicts(&maintenance.pool, ALERTS)
            .await
            .map(|raised| raised > 0);
        let conflicts = or_later!(conflicts, "conflicts could not be announced");
        let dead = announce_dead(&maintenance.pool, ALERTS)
            .await
            .map(|raised| raised > 0);
        let dead = or_later!(dead, "dead letters could not be announced");
        if ends(stop, pauses.after(conflicts || dead)).await {
            break;
        }
    }
    heartbeat.retire();
}

pub(super) async fn replays(maintenance: &Maintenance, stop: &CancellationToken) {
    let heartbeat = maintenance.heartbeats.register("replays", STUCK);
    loop {
        heartbeat.tick();
        let running = step_replays(&maintenance.pool)
            .await
            .map(|(running, _)| running > 0);
        if ends(
            stop,
            if or_later!(running, "replays could not be advanced") {
                REPLAY
            } else {
                IDLE
            },
        )
        .await
        {
            break;
        }
    }
    heartbeat.retire();
}

pub(super) async fn retired(maintenance: &Maintenance, stop: &CancellationToken) {
    let heartbeat = maintenance.heartbeats.register("retired", STUCK);
    loop {
        heartbeat.tick();
        let step = discard_retired(&maintenance.pool, DISCARDED)
            .await
            .map(|discarded| discarded > 0);
        let more = or_later!(
            step,
            "pending deliveries of retired handlers could not be discarded"
        );
        if ends(stop, if more { MORE } else { RETIRED }).await {
            break;
        }
    }
    heartbeat.retire();
}

/// Waits for the next step. Returns whether the job must stop instead.
async fn ends(stop: &CancellationToken, pause: Duration) -> bool {
    stop.run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_none()
}

pub(super) async fn watch(maintenance: &Maintenance, stop: &CancellationToken) {
    let heartbeat = maintenance.heartbeats.register("watch", STUCK);
    while stop
        .run_until_cancelled(tokio::time::sleep(WATCH))
        .await
        .is_some()
    {
        heartbeat.tick();
        match look(&maintenance.pool).await {
            Ok(0) => {}
            Ok(raised) => log_alerts(maintenance, raised).await,
            Err(error) => throttled!(warn, %error, "alert evaluation failed, retrying"),
        }
    }
    heartbeat.retire();
}

async fn log_alerts(maintenance: &Maintenance, raised: i64) {
    match newest_alerts(&maintenance.pool, raised).await {
        Ok(alerts) => {
            for (alert, subject) in alerts {
                tracing::warn!(
                    "type" = alert,
                    subject,
                    "alert raised; docs/RUNBOOK.md has a section for it"
                );
            }
        }
        Err(error) => {
            throttled!(warn, %error, raised, "alerts were raised; which ones could not be read")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_there_is_nothing_to_do_and_are_short_again_after_work() {
        let mut pauses = Pauses::up_to(Duration::from_secs(5));
        let taken = [false, false, false, true, false].map(|more| pauses.after(more).as_millis());
        assert_eq!(taken, [2000, 4000, 5000, 100, 2000]);
    }
}
