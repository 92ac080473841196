//! Time since the machine started, which continues while the machine is suspended.
//!
//! On Linux `std::time::Instant` does not. With it, a process that is resumed would start attempts
//! under a lease that others have taken over, and treat an old measurement of a clock as a new one.

use nix::time::{ClockId, clock_gettime};
use std::{ops::Add, time::Duration};

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;

// On other systems, either this clock includes the time asleep, or no clock does.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// A moment, as time since the machine started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootTime(Duration);

impl BootTime {
    /// The present moment. Every kernel since 2.6.39 has this clock. Without it no time would pass.
    pub(crate) fn now() -> Self {
        Self(clock_gettime(CLOCK).map(Duration::from).unwrap_or_default())
    }

    /// The time since `earlier`, or zero if `earlier` is later.
    pub(crate) fn duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::now().duration_since(self)
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0 + time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn it_is_the_time_since_boot_and_increases() {
        let uptime = std::fs::read_to_string("/proc/uptime").expect("Linux");
        let uptime: f64 = uptime
            .split(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .expect("seconds");
        let now = BootTime::now();
        // A container may have its own uptime.
        assert!(now.0.as_secs_f64() >= uptime - 0.1, "{now:?} {uptime}");
        assert!(
            now + Duration::from_secs(1) > now
                && now.duration_since(now + Duration::from_secs(1)).is_zero()
        );
        #[allow(clippy::disallowed_methods, reason = "a test without a runtime")]
        std::thread::sleep(Duration::from_millis(2));
        assert!(now.elapsed() >= Duration::from_millis(2));
    }
}
