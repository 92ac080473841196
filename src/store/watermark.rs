//! Where a claim's scan may begin, so that it never walks the dead index entries of settled rows.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// After this long a floor is taken although some idle transaction holds the snapshots back.
const PATIENCE: Duration = Duration::from_secs(30);

/// A claim without floors is made this often: the net under everything.
const FULL_SCAN_EVERY: Duration = Duration::from_secs(60);

/// Candidates nearer together than this are one; it bounds how many there are.
const GRAIN: Duration = Duration::from_millis(50);

/// The due floor stays this far behind the latest due time that was claimed, in microseconds: whatever sets a due
/// time in the past sets it to the clock's time, and commits within that.
const DUE_LAG: i64 = 30_000_000;

/// What one claim saw of the fresh lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Every transaction below this had ended.
    pub xmin: i64,
    /// The claim's own transaction id: every transaction that had taken delivery ids by then has a lower one.
    pub own_xid: i64,
    /// The lowest delivery id claimed.
    pub lowest: Option<i64>,
    /// The highest delivery id claimed.
    pub highest: Option<i64>,
    /// Whether the limit cut the claim off: then nothing is known above `highest`.
    pub cut: bool,
}

/// The floors of one handler's two lanes.
///
/// The fresh one is exact. The highest id seen, h, becomes the floor at a later claim whose snapshot no longer has
/// any transaction open that could have been open when h was seen: every writer takes its transaction id before it
/// takes delivery ids, and the claim took its own after h was there, so nothing below h can still appear. That claim
/// must itself have looked at everything below h, that is, its limit must not have cut it off below.
#[derive(Debug)]
pub struct Watermarks {
    fresh: i64,
    due: i64,
    highest: i64,
    candidates: VecDeque<Candidate>,
    full_scan_at: Instant,
    /// Whether the claim that is being made is a full scan.
    full_scan: bool,
}

#[derive(Debug)]
struct Candidate {
    id: i64,
    xid: i64,
    at: Instant,
}

impl Watermarks {
    /// No floor yet: the first claim is a full scan.
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

    /// The floors for a claim made now: the highest id, and the due time in microseconds, that it need not look at.
    pub fn for_claim(&mut self, now: Instant) -> (i64, i64) {
        self.full_scan = now >= self.full_scan_at;
        if !self.full_scan {
            return (self.fresh, self.due);
        }
        // Up to a fifth later each time, so that many workers do not scan at once.
        self.full_scan_at = now + FULL_SCAN_EVERY.mul_f64(1.0 + 0.2 * rand::random::<f64>());
        (0, 0)
    }

    /// Learns from a claim's fresh lane. Only of a claim that looked: one of a paused handler, or under a lease that has
    /// expired, finds nothing whatever there is.
    pub fn saw_fresh(&mut self, now: Instant, seen: Seen) {
        // What a full scan finds below the floor was hidden, and there may be more of it than one claim takes: the next
        // claims look there too.
        if let Some(lowest) = seen.lowest.filter(|_| self.full_scan) {
            self.fresh = self.fresh.min(lowest - 1);
        }
        while let Some(first) = self.candidates.front() {
            let settled = seen.xmin >= first.xid || now.duration_since(first.at) >= PATIENCE;
            let looked_at = !seen.cut || seen.highest.is_some_and(|h| first.id <= h);
            if !(settled && looked_at) {
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

    /// Learns from a claim's due lane: the earliest and the latest due time claimed, in microseconds. The lane is in their
    /// order, so what a full scan leaves behind is due later than what it claimed.
    pub fn saw_due(&mut self, earliest: i64, latest: i64) {
        if self.full_scan {
            self.due = self.due.min(earliest.saturating_sub(1).max(0));
        }
        self.due = self.due.max(latest.saturating_sub(DUE_LAG));
    }

    /// A transaction committed deliveries that were due at that time, in microseconds, or later: they are looked for.
    /// Anybody may say so, and any time: before 1970 there is none, and a claim could not compute with it.
    pub fn heard_late(&mut self, due: i64) {
        self.due = self.due.min(due.saturating_sub(1).max(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(xmin: i64, own_xid: i64, highest: i64, cut: bool) -> Seen {
        Seen {
            xmin,
            own_xid,
            lowest: Some(highest),
            highest: Some(highest),
            cut,
        }
    }

    fn later(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn an_id_becomes_the_floor_when_nothing_below_it_can_still_appear() {
        let start = Instant::now();
        let mut floors = Watermarks::new(start);
        assert_eq!(floors.for_claim(start).0, 0);
        floors.saw_fresh(later(start, 1), seen(90, 100, 1000, false));
        assert_eq!(floors.for_claim(later(start, 2)).0, 0);
        floors.saw_fresh(
            later(start, 3),
            Seen {
                xmin: 99,
                own_xid: 120,
                lowest: None,
                highest: None,
                cut: false,
            },
        );
        assert_eq!(
            floors.for_claim(later(start, 4)).0,
            0,
            "transaction 99 may still commit an id below 1000"
        );
        floors.saw_fresh(
            later(start, 5),
            Seen {
                xmin: 100,
                own_xid: 130,
                lowest: None,
                highest: None,
                cut: false,
            },
        );
        assert_eq!(floors.for_claim(later(start, 6)).0, 1000);
    }

    #[test]
    fn a_claim_that_its_limit_cut_off_below_proves_nothing() {
        let start = Instant::now();
        let mut floors = Watermarks::new(start);
        let _ = floors.for_claim(start);
        floors.saw_fresh(start, seen(90, 100, 1000, false));
        floors.saw_fresh(later(start, 100), seen(100, 140, 600, true));
        assert_eq!(
            floors.for_claim(later(start, 101)).0,
            0,
            "601 to 999 have not been looked at"
        );
        floors.saw_fresh(later(start, 200), seen(140, 150, 1200, true));
        assert_eq!(floors.for_claim(later(start, 201)).0, 1000);
    }

    #[test]
    fn an_idle_writer_holds_it_back_for_half_a_minute_only() {
        let start = Instant::now();
        let mut floors = Watermarks::new(start);
        let _ = floors.for_claim(start);
        floors.saw_fresh(start, seen(5, 100, 1000, false));
        floors.saw_fresh(later(start, 29_000), seen(5, 9000, 2000, false));
        assert_eq!(floors.for_claim(later(start, 29_001)).0, 0);
        floors.saw_fresh(later(start, 31_000), seen(5, 9100, 3000, false));
        assert_eq!(floors.for_claim(later(start, 31_001)).0, 1000);
    }

    /// Whatever hid them: each claim takes some, and the floor must not hide the others for another minute.
    #[test]
    fn what_a_full_scan_finds_below_a_floor_lowers_it_until_nothing_is_left() {
        let start = Instant::now();
        let mut floors = Watermarks::new(start);
        let _ = floors.for_claim(start);
        floors.saw_fresh(start, seen(90, 100, 1000, false));
        floors.saw_fresh(
            later(start, 100),
            Seen {
                xmin: 100,
                own_xid: 140,
                lowest: None,
                highest: None,
                cut: false,
            },
        );
        floors.saw_due(500_000_000, 500_000_000);
        assert_eq!(floors.for_claim(later(start, 200)), (1000, 470_000_000));
        assert_eq!(floors.for_claim(later(start, 80_000)), (0, 0));
        let hidden = Seen {
            xmin: 200,
            own_xid: 210,
            lowest: Some(300),
            highest: Some(331),
            cut: true,
        };
        floors.saw_fresh(later(start, 80_001), hidden);
        floors.saw_due(100_000_000, 120_000_000);
        assert_eq!(floors.for_claim(later(start, 80_010)), (299, 99_999_999));
        floors.saw_fresh(
            later(start, 80_011),
            Seen {
                lowest: Some(332),
                highest: Some(363),
                ..hidden
            },
        );
        assert_eq!(
            floors.for_claim(later(start, 80_020)).0,
            299,
            "it rises again by what was proven only"
        );
        floors.saw_fresh(later(start, 80_021), seen(220, 230, 1100, false));
        floors.saw_fresh(
            later(start, 80_100),
            Seen {
                xmin: 230,
                own_xid: 240,
                lowest: None,
                highest: None,
                cut: false,
            },
        );
        assert_eq!(floors.for_claim(later(start, 80_200)).0, 1100);
    }

    #[test]
    fn no_due_time_that_is_heard_or_seen_makes_a_floor_that_a_claim_cannot_compute_with() {
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
            let mut floors = Watermarks::new(start);
            let _ = floors.for_claim(start);
            floors.saw_due(100_000_000, 100_000_000);
            floors.heard_late(due);
            let floor = floors.for_claim(start).1;
            assert!((0..=70_000_000).contains(&floor), "{due} {floor}");
            assert!(floor < due.max(1), "what is due at {due} is looked for");
            floors.saw_due(i64::MIN, i64::MIN);
            assert_eq!(floors.for_claim(start).1, floor);
        }
    }

    #[test]
    fn every_minute_or_so_there_is_no_floor_and_the_due_floor_keeps_its_distance() {
        let start = Instant::now();
        let mut floors = Watermarks::new(start);
        let _ = floors.for_claim(start);
        floors.saw_due(100_000_000, 100_000_000);
        assert_eq!(floors.for_claim(later(start, 10)).1, 70_000_000);
        assert_eq!(floors.for_claim(later(start, 73_000)), (0, 0));
        assert_eq!(
            floors.for_claim(later(start, 73_010)).1,
            70_000_000,
            "kept for the claims in between"
        );
    }
}
