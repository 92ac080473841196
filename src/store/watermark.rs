//! Computes the watermarks from which a claim scans, so that it does not read the dead index
//! entries of settled rows.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// After this time an id becomes the watermark, even if an idle transaction holds back the
/// snapshots.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a claim is made without watermarks. It finds everything that the watermarks hide.
const FULL_SCAN_EVERY: Duration = Duration::from_secs(60);

/// The minimum time between two candidates, which bounds their number.
const GRAIN: Duration = Duration::from_millis(50);

/// How far the due watermark stays behind the latest due time that was claimed, in microseconds. A
/// statement that sets a due time in the past sets it to the time of the clock, and commits within
/// this time.
const DUE_LAG: i64 = 30_000_000;

/// What one claim saw of the fresh deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Every transaction with a lower id had ended.
    pub xmin: i64,
    /// The claim's own transaction id. Every transaction that had taken delivery ids by then has a
    /// lower one.
    pub own_xid: i64,
    /// The lowest delivery id that was claimed.
    pub lowest: Option<i64>,
    /// The highest delivery id that was claimed.
    pub highest: Option<i64>,
    /// Whether the claim reached its limit. Nothing is known above `highest` then.
    pub truncated: bool,
}

/// The watermarks of one handler, for its fresh and its due deliveries.
///
/// The fresh watermark is exact. The highest id seen, h, becomes the watermark at a later claim, if
/// that claim's snapshot has no open transaction that could have been open when h was seen. Every
/// writer takes its transaction id before it takes delivery ids, and the claim that saw h took its
/// own transaction id afterwards, so nothing below h can still appear. The later claim must also
/// have read everything below h: its limit must not have ended it before.
#[derive(Debug)]
pub struct Watermarks {
    fresh: i64,
    due: i64,
    highest: i64,
    candidates: VecDeque<Candidate>,
    full_scan_at: Instant,
    /// Whether the current claim is a full scan.
    full_scan: bool,
}

#[derive(Debug)]
struct Candidate {
    id: i64,
    xid: i64,
    at: Instant,
}

impl Watermarks {
    /// Starts without watermarks: the first claim is a full scan.
    pub fn new(now: Instant) -> Self {
        Self {
            fresh: 0,
            due: 0,
            highest: 0,
            candidates: VecDeque::new(),
            full_scan_at: now,
            full_scan: false,
        }
    }

    /// Returns the watermarks for a claim made now: the delivery id, and the due time in
    /// microseconds, up to which it does not have to read.
    pub fn for_claim(&mut self, now: Instant) -> (i64, i64) {
        self.full_scan = now >= self.full_scan_at;
        if !self.full_scan {
            return (self.fresh, self.due);
        }
        // Up to a fifth later each time, so that many workers do not scan at the same time.
        self.full_scan_at = now + FULL_SCAN_EVERY.mul_f64(1.0 + 0.2 * rand::random::<f64>());
        (0, 0)
    }

    /// Learns from the fresh deliveries of a claim. Do not call it for a claim that did not scan
    /// for deliveries: for a paused handler, or under an expired lease, a claim finds nothing in
    /// any case.
    pub fn saw_fresh(&mut self, now: Instant, seen: Seen) {
        // Deliveries that a full scan finds below the watermark were hidden. There may be more of
        // them than one claim takes, so the next claims scan there too.
        if let Some(lowest) = seen.lowest.filter(|_| self.full_scan) {
            self.fresh = self.fresh.min(lowest - 1);
        }
        while let Some(first) = self.candidates.front() {
            let settled = seen.xmin >= first.xid || now.duration_since(first.at) >= PATIENCE;
            let scanned = !seen.truncated || seen.highest.is_some_and(|h| first.id <= h);
            if !(settled && scanned) {
                break;
            }
            self.fresh = self.fresh.max(first.id);
            self.candidates.pop_front();
        }
        let Some(highest) = seen.highest else { return };
        if highest <= self.highest {
            return;
        }
        self.highest = highest;
        if self
            .candidates
            .back()
            .is_none_or(|last| now.duration_since(last.at) >= GRAIN)
        {
            self.candidates.push_back(Candidate {
                id: highest,
                xid: seen.own_xid,
                at: now,
            });
        }
    }

    /// Learns from the due deliveries of a claim: the earliest and the latest due time that was
    /// claimed, in microseconds. They are claimed in this order, so deliveries that a full scan
    /// does not claim are due later.
    pub fn saw_due(&mut self, earliest: i64, latest: i64) {
        if self.full_scan {
            self.due = self.due.min(earliest.saturating_sub(1).max(0));
        }
        self.due = self.due.max(latest.saturating_sub(DUE_LAG));
    }

    /// Lowers the due watermark, because a transaction committed deliveries that were due at that
    /// time, in microseconds, or later. Any role can send such a notification, with any time. No
    /// delivery is due before 1970, and a claim could not compute with such a time.
    pub fn lower_due(&mut self, due: i64) {
        self.due = self.due.min(due.saturating_sub(1).max(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(xmin: i64, own_xid: i64, highest: i64, truncated: bool) -> Seen {
        Seen {
            xmin,
            own_xid,
            lowest: Some(highest),
            highest: Some(highest),
            truncated,
        }
    }

    fn later(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn an_id_becomes_the_watermark_when_no_lower_one_can_still_appear() {
        let start = Instant::now();
        let mut watermarks = Watermarks::new(start);
        assert_eq!(watermarks.for_claim(start).0, 0);
        watermarks.saw_fresh(later(start, 1), seen(90, 100, 1000, false));
        assert_eq!(watermarks.for_claim(later(start, 2)).0, 0);
        watermarks.saw_fresh(
            later(start, 3),
            Seen {
                xmin: 99,
                own_xid: 120,
                lowest: None,
                highest: None,
                truncated: false,
            },
        );
        assert_eq!(
            watermarks.for_claim(later(start, 4)).0,
            0,
            "transaction 99 may still commit an id below 1000"
        );
        watermarks.saw_fresh(
            later(start, 5),
            Seen {
                xmin: 100,
                own_xid: 130,
                lowest: None,
                highest: None,
                truncated: false,
            },
        );
        assert_eq!(watermarks.for_claim(later(start, 6)).0, 1000);
    }

    #[test]
    fn a_claim_that_its_limit_truncated_proves_nothing() {
        let start = Instant::now();
        let mut watermarks = Watermarks::new(start);
        let _ = watermarks.for_claim(start);
        watermarks.saw_fresh(start, seen(90, 100, 1000, false));
        watermarks.saw_fresh(later(start, 100), seen(100, 140, 600, true));
        assert_eq!(
            watermarks.for_claim(later(start, 101)).0,
            0,
            "601 to 999 have not been read"
        );
        watermarks.saw_fresh(later(start, 200), seen(140, 150, 1200, true));
        assert_eq!(watermarks.for_claim(later(start, 201)).0, 1000);
    }

    #[test]
    fn an_idle_writer_delays_the_watermark_by_half_a_minute_at_most() {
        let start = Instant::now();
        let mut watermarks = Watermarks::new(start);
        let _ = watermarks.for_claim(start);
        watermarks.saw_fresh(start, seen(5, 100, 1000, false));
        watermarks.saw_fresh(later(start, 29_000), seen(5, 9000, 2000, false));
        assert_eq!(watermarks.for_claim(later(start, 29_001)).0, 0);
        watermarks.saw_fresh(later(start, 31_000), seen(5, 9100, 3000, false));
        assert_eq!(watermarks.for_claim(later(start, 31_001)).0, 1000);
    }

    /// Each claim takes some of the hidden deliveries, and the watermark must not hide the others
    /// for another minute.
    #[test]
    fn deliveries_that_a_full_scan_finds_lower_the_watermark_until_none_is_left() {
        let start = Instant::now();
        let mut watermarks = Watermarks::new(start);
        let _ = watermarks.for_claim(start);
        watermarks.saw_fresh(start, seen(90, 100, 1000, false));
        watermarks.saw_fresh(
            later(start, 100),
            Seen {
                xmin: 100,
                own_xid: 140,
                lowest: None,
                highest: None,
                truncated: false,
            },
        );
        watermarks.saw_due(500_000_000, 500_000_000);
        assert_eq!(watermarks.for_claim(later(start, 200)), (1000, 470_000_000));
        assert_eq!(watermarks.for_claim(later(start, 80_000)), (0, 0));
        let hidden = Seen {
            xmin: 200,
            own_xid: 210,
            lowest: Some(300),
            highest: Some(331),
            truncated: true,
        };
        watermarks.saw_fresh(later(start, 80_001), hidden);
        watermarks.saw_due(100_000_000, 120_000_000);
        assert_eq!(
            watermarks.for_claim(later(start, 80_010)),
            (299, 99_999_999)
        );
        watermarks.saw_fresh(
            later(start, 80_011),
            Seen {
                lowest: Some(332),
                highest: Some(363),
                ..hidden
            },
        );
        assert_eq!(
            watermarks.for_claim(later(start, 80_020)).0,
            299,
            "it rises again by what was proven only"
        );
        watermarks.saw_fresh(later(start, 80_021), seen(220, 230, 1100, false));
        watermarks.saw_fresh(
            later(start, 80_100),
            Seen {
                xmin: 230,
                own_xid: 240,
                lowest: None,
                highest: None,
                truncated: false,
            },
        );
        assert_eq!(watermarks.for_claim(later(start, 80_200)).0, 1100);
    }

    #[test]
    fn every_due_time_makes_a_watermark_that_a_claim_can_compute_with() {
        let start = Instant::now();
        for due in [
            i64::MIN,
            i64::MIN + 1,
            -9_000_000_000_000_000_000,
            -1,
            0,
            1,
            i64::MAX,
        ] {
            let mut watermarks = Watermarks::new(start);
            let _ = watermarks.for_claim(start);
            watermarks.saw_due(100_000_000, 100_000_000);
            watermarks.lower_due(due);
            let watermark = watermarks.for_claim(start).1;
            assert!((0..=70_000_000).contains(&watermark), "{due} {watermark}");
            assert!(watermark < due.max(1), "deliveries due at {due} are found");
            watermarks.saw_due(i64::MIN, i64::MIN);
            assert_eq!(watermarks.for_claim(start).1, watermark);
        }
    }

    #[test]
    fn a_full_scan_runs_each_minute_and_the_due_watermark_keeps_its_distance() {
        let start = Instant::now();
        let mut watermarks = Watermarks::new(start);
        let _ = watermarks.for_claim(start);
        watermarks.saw_due(100_000_000, 100_000_000);
        assert_eq!(watermarks.for_claim(later(start, 10)).1, 70_000_000);
        assert_eq!(watermarks.for_claim(later(start, 73_000)), (0, 0));
        assert_eq!(
            watermarks.for_claim(later(start, 73_010)).1,
            70_000_000,
            "kept for the claims in between"
        );
    }
}
