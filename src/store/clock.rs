//! Tracks the database's clock, and makes event ids from it.

use super::{Connection, StoreError, error::within};
use crate::boot_time::BootTime;
use crate::domain::EventId;
use parking_lot::Mutex;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Estimates the database's time between measurements, and makes event ids from it.
///
/// The id of an event decides its partition. Even if the clock of a machine is wrong or is set, an
/// event must not miss its partition or move to another day. So the time is the database's time at
/// the last measurement plus the elapsed time of a clock that nobody sets. The wall clock of this
/// machine is not used for it.
#[derive(Clone, Debug, Default)]
pub struct DatabaseClock(Arc<Mutex<Option<(Duration, BootTime)>>>);

/// How far this machine's clock is ahead of the database's, in milliseconds. Negative if it is
/// behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDifference(i64);

impl ClockDifference {
    /// Half a minute. It soon matters if senders sign with a time, and it exceeds the error of a
    /// measurement.
    const LARGE: i64 = 30_000;

    /// Both times are since 1970.
    fn between(here: Duration, database: Duration) -> Self {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self(millis(here).saturating_sub(millis(database)))
    }

    /// The difference in seconds. Negative if this machine's clock is behind.
    pub fn seconds(self) -> f64 {
        Duration::from_millis(self.0.unsigned_abs())
            .as_secs_f64()
            .copysign(if self.0 < 0 { -1.0 } else { 1.0 })
    }

    /// Whether the difference is so large that an operator should check the clocks.
    pub fn is_large(self) -> bool {
        self.0.unsigned_abs() >= Self::LARGE.unsigned_abs()
    }
}

impl fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.0 < 0 { "behind" } else { "ahead of" };
        write!(
            f,
            "this machine's clock is {} s {direction} the database's",
            self.0.unsigned_abs() / 1000
        )
    }
}

impl DatabaseClock {
    /// Measures the database's time. Returns how far this machine's clock is from it.
    ///
    /// # Errors
    /// If the statement fails.
    pub async fn measure(
        &self,
        connection: &mut Connection,
    ) -> Result<ClockDifference, StoreError> {
        let sent_at = BootTime::now();
        let micros: i64 = within(
            connection.deadline(),
            "measure the clock",
            sqlx::query_scalar(
                "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
            )
            .fetch_one(&mut connection.inner),
        )
        .await?;
        let since = sent_at.elapsed() / 2;
        let database = Duration::from_micros(micros.max(0).unsigned_abs());
        self.set(database, sent_at + since);
        let here = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_sub(since);
        Ok(ClockDifference::between(here, database))
    }

    fn set(&self, database: Duration, here: BootTime) {
        *self.0.lock() = Some((database, here));
    }

    /// The database's time since 1970; `None` before the first measurement.
    pub fn now(&self) -> Option<Duration> {
        let measured = *self.0.lock();
        measured.map(|(database, here)| database + here.elapsed())
    }

    /// Makes a new event id: a UUID v7 with the database's time. `None` before the first
    /// measurement.
    ///
    /// The fraction of the millisecond precedes the random bits (RFC 9562, method 3), so that of
    /// two ids made one after the other the later is larger.
    pub fn event_id(&self) -> Option<EventId> {
        let now = self.now()?;
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut random: [u8; 10] = rand::random();
        let fraction = u64::from(now.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
        random[..2].copy_from_slice(&u16::try_from(fraction).unwrap_or(u16::MAX).to_be_bytes());
        Some(EventId(
            uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid(),
        ))
    }
}

/// A duration in milliseconds, at most 100 years, so that Postgres can add it to the current time.
pub(super) fn interval_millis(duration: Duration) -> i64 {
    const LONGEST: i64 = 100 * 365 * 24 * 3600 * 1000;
    i64::try_from(duration.as_millis())
        .unwrap_or(LONGEST)
        .min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_the_databases_time_and_not_ours() {
        let clock = DatabaseClock::default();
        assert_eq!(clock.event_id(), None);
        clock.set(Duration::from_secs(1_000_000), BootTime::now());
        let id = clock.event_id().expect("measured").0;
        let (seconds, _) = id.get_timestamp().expect("version 7").to_unix();
        assert!((1_000_000..1_000_060).contains(&seconds), "{seconds}");
        assert_eq!(id.get_version_num(), 7);
    }

    #[test]
    fn a_clock_difference_has_an_amount_and_a_direction() {
        let apart = |here, database| {
            let difference =
                ClockDifference::between(Duration::from_secs(here), Duration::from_secs(database));
            (
                difference.to_string(),
                difference.seconds(),
                difference.is_large(),
            )
        };
        let ahead = "this machine's clock is 172800 s ahead of the database's".to_owned();
        assert_eq!(
            apart(1_000_000, 1_000_000 - 172_800),
            (ahead, 172_800.0, true)
        );
        let behind = "this machine's clock is 30 s behind the database's".to_owned();
        assert_eq!(apart(1_000_000, 1_000_030), (behind, -30.0, true));
        assert!(!apart(1_000_000, 1_000_029).2);
    }

    #[test]
    fn later_events_have_larger_ids() {
        let clock = DatabaseClock::default();
        clock.set(Duration::from_secs(1_000_000), BootTime::now());
        let mut last = clock.event_id().expect("measured");
        for _ in 0..5000 {
            #[allow(clippy::disallowed_methods, reason = "a test without a runtime")]
            std::thread::sleep(Duration::from_micros(1));
            let next = clock.event_id().expect("measured");
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }
}
