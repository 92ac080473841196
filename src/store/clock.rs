//! The database's clock, as seen from here.

use super::{Connection, StoreError, error::within};
use crate::domain::EventId;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Tells the database's time between measurements, and makes event ids by it.
///
/// The ids decide the partition: a machine with a wrong clock, or one whose clock is set, may neither miss a
/// partition nor move an event out of its day. So this counts from the database's time with the monotonic clock,
/// and the wall clock of this machine is never asked.
#[derive(Clone, Debug, Default)]
pub struct DatabaseClock(Arc<Mutex<Option<(Duration, Instant)>>>);

impl DatabaseClock {
    /// Asks the database for its time.
    ///
    /// # Errors
    /// Where the connection is broken.
    pub async fn measure(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let asked = Instant::now();
        let micros: i64 = within(
            connection.deadline(),
            "measure the clock",
            sqlx::query_scalar("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
                .fetch_one(&mut connection.inner),
        )
        .await?;
        let half_way = asked + asked.elapsed() / 2;
        self.set(Duration::from_micros(micros.max(0).unsigned_abs()), half_way);
        Ok(())
    }

    fn set(&self, database: Duration, here: Instant) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((database, here));
    }

    /// The database's time since 1970; `None` before the first measurement.
    pub fn now(&self) -> Option<Duration> {
        let measured = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        measured.map(|(database, here)| database + here.elapsed())
    }

    /// A new event id: UUID v7 by the database's clock; `None` before the first measurement. The fraction of the
    /// millisecond comes before what is random (RFC 9562, method 3), so that of two that came one after the other the
    /// later has the larger id.
    pub fn event_id(&self) -> Option<EventId> {
        let now = self.now()?;
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut random: [u8; 10] = rand::random();
        let fraction = u64::from(now.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
        random[..2].copy_from_slice(&u16::try_from(fraction).unwrap_or(u16::MAX).to_be_bytes());
        Some(EventId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
    }
}

/// A duration as milliseconds that can be added to any time Postgres knows: at most a hundred years.
pub(super) fn interval_millis(duration: Duration) -> i64 {
    const LONGEST: i64 = 100 * 365 * 24 * 3600 * 1000;
    i64::try_from(duration.as_millis()).unwrap_or(LONGEST).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_the_databases_time_and_not_ours() {
        let clock = DatabaseClock::default();
        assert_eq!(clock.event_id(), None);
        clock.set(Duration::from_secs(1_000_000), Instant::now());
        let id = clock.event_id().expect("measured").0;
        let (seconds, _) = id.get_timestamp().expect("version 7").to_unix();
        assert!((1_000_000..1_000_060).contains(&seconds), "{seconds}");
        assert_eq!(id.get_version_num(), 7);
    }

    #[test]
    fn what_comes_later_has_a_larger_id() {
        let clock = DatabaseClock::default();
        clock.set(Duration::from_secs(1_000_000), Instant::now());
        let mut last = clock.event_id().expect("measured");
        for _ in 0..5000 {
            std::thread::sleep(Duration::from_micros(1));
            let next = clock.event_id().expect("measured");
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }
}
