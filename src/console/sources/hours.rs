//! What a source received in the last 24 hours, by hour: bars, and the numbers.

use super::super::{
    row::Timestamp,
    summary::REJECTIONS,
    view::{number, time},
};
use super::advice;
use askama::Template;
use serde::Deserialize;
use std::collections::BTreeMap;

const HOURS: i64 = 24;
const HOUR: i64 = 3_600_000_000;
const HEIGHT: f64 = 64.0;
const PITCH: f64 = 10.0;

/// A row of `hookfast.counts`, summed by hour.
#[derive(Deserialize)]
pub(super) struct CountRow {
    pub(super) hour: Timestamp,
    pub(super) counter: String,
    pub(super) value: i64,
}

/// The counts of one hour, or of all.
#[derive(Clone, Default)]
struct Counts {
    stored: i64,
    duplicate: i64,
    conflict: i64,
    rejected: BTreeMap<String, i64>,
}

impl Counts {
    fn add(&mut self, counter: &str, value: i64) {
        match counter {
            "stored" => self.stored += value,
            "duplicate" => self.duplicate += value,
            "conflict" => self.conflict += value,
            counter if REJECTIONS.contains(&counter) => {
                *self.rejected.entry(counter.to_owned()).or_default() += value;
            }
            _ => {}
        }
    }

    fn rejections(&self) -> i64 {
        self.rejected.values().sum()
    }

    /// `12 wrong signature, 1 body too large`
    fn reasons(&self) -> String {
        let reasons = self.rejected.iter().map(|(reason, count)| {
            format!(
                "{} {}",
                number::grouped(*count),
                advice::for_reason(reason).words
            )
        });
        reasons.collect::<Vec<_>>().join(", ")
    }
}

/// The bars and the table.
#[derive(Template)]
#[template(path = "source_hours.html")]
pub(super) struct Hours {
    width: f64,
    height: f64,
    columns: Vec<Column>,
    /// Newest first.
    rows: Vec<HourRow>,
    total: HourRow,
    peak: String,
    scale: Vec<String>,
}

impl askama::filters::HtmlSafe for Hours {}

struct Column {
    x: f64,
    title: String,
    is_now: bool,
    bars: Vec<Bar>,
}

struct Bar {
    class: &'static str,
    x: String,
    y: String,
    width: String,
    height: String,
}

struct HourRow {
    iso: String,
    clock: String,
    stored: String,
    duplicate: String,
    conflict: String,
    rejected: String,
    reasons: String,
}

impl Hours {
    pub(super) fn new(counts: &[CountRow], now: Timestamp) -> Self {
        let last = now.0.div_euclid(HOUR);
        let first = last - HOURS + 1;
        let mut hours = vec![Counts::default(); HOURS as usize];
        let mut total = Counts::default();
        for row in counts {
            let index = usize::try_from(row.hour.0.div_euclid(HOUR) - first);
            if let Some(hour) = index.ok().and_then(|index| hours.get_mut(index)) {
                hour.add(&row.counter, row.value);
                total.add(&row.counter, row.value);
            }
        }
        let parts = |hour: &Counts| {
            [
                hour.stored,
                hour.conflict,
                hour.duplicate,
                hour.rejections(),
            ]
        };
        let sums = hours.iter().map(|hour| parts(hour).iter().sum());
        let peak: i64 = sums.max().unwrap_or(0);
        let at = |index: usize| (first + index as i64) * HOUR;
        let columns = hours.iter().enumerate().map(|(index, hour)| Column {
            x: index as f64 * PITCH,
            title: title(at(index), hour),
            is_now: index + 1 == hours.len(),
            bars: bars(index as f64 * PITCH, parts(hour), peak.max(10)),
        });
        let rows = hours.iter().enumerate().rev();
        Self {
            width: HOURS as f64 * PITCH,
            height: HEIGHT,
            columns: columns.collect(),
            rows: rows.map(|(index, hour)| row(at(index), hour)).collect(),
            total: row(now.0, &total),
            peak: number::grouped(peak),
            scale: (0..4)
                .map(|quarter| time::minute(at(quarter * 6)))
                .collect(),
        }
    }
}

fn row(at: i64, counts: &Counts) -> HourRow {
    HourRow {
        iso: time::iso(at),
        clock: time::minute(at),
        stored: number::unless_zero(counts.stored),
        duplicate: number::unless_zero(counts.duplicate),
        conflict: number::unless_zero(counts.conflict),
        rejected: number::unless_zero(counts.rejections()),
        reasons: counts.reasons(),
    }
}

/// `12:00: 41 stored, 2 rejected`
fn title(at: i64, counts: &Counts) -> String {
    let named = [
        (counts.stored, "stored"),
        (counts.conflict, "conflicts"),
        (counts.duplicate, "duplicates"),
        (counts.rejections(), "rejected"),
    ];
    let texts: Vec<_> = named
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", number::grouped(*count)))
        .collect();
    let texts = match texts.as_slice() {
        [] => "nothing received".to_owned(),
        some => some.join(", "),
    };
    format!("{}: {texts}", time::minute(at))
}

/// From the bottom: stored, conflicts, duplicates, rejected. What is not 0 is at least a line, and
/// what was rejected stands apart and is narrow, so that shapes differ and not only colours.
fn bars(x: f64, parts: [i64; 4], peak: i64) -> Vec<Bar> {
    const CLASSES: [&str; 4] = [
        "fill-stored",
        "fill-retried",
        "fill-duplicate",
        "fill-rejected",
    ];
    let room = HEIGHT - 8.0;
    let mut y = HEIGHT;
    let mut bars = Vec::new();
    for (class, count) in CLASSES.into_iter().zip(parts) {
        if count <= 0 {
            continue;
        }
        let is_apart = class == "fill-rejected";
        if is_apart && y < HEIGHT {
            y -= 2.0;
        }
        let height = (count as f64 / peak as f64 * room).max(2.0).min(y);
        y -= height;
        let (inset, width) = match class {
            "fill-stored" | "fill-rejected" => (1.0, PITCH - 2.0),
            _ => (3.0, PITCH - 6.0),
        };
        bars.push(Bar {
            class,
            x: format!("{:.1}", x + inset),
            y: format!("{y:.1}"),
            width: format!("{width:.1}"),
            height: format!("{height:.1}"),
        });
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_869_420_000_000); // 12:37

    fn count(hours_ago: i64, counter: &str, value: i64) -> CountRow {
        CountRow {
            hour: Timestamp((NOW.0 / HOUR - hours_ago) * HOUR),
            counter: counter.to_owned(),
            value,
        }
    }

    #[test]
    fn counts_are_in_their_hours() {
        let hours = Hours::new(
            &[
                count(0, "stored", 3),
                count(0, "wrong_signature", 1200),
                count(0, "too_large", 1),
                count(23, "duplicate", 2),
                count(24, "stored", 99),
                count(1, "busy", 5),
            ],
            NOW,
        );
        assert_eq!(hours.rows.len(), 24);
        assert_eq!(hours.rows[0].clock, "12:00");
        assert_eq!(hours.rows[0].stored, "3");
        assert_eq!(hours.rows[0].rejected, "1,201");
        assert_eq!(
            hours.rows[0].reasons,
            "1 body too large, 1,200 wrong signature"
        );
        assert_eq!(hours.rows[23].duplicate, "2");
        assert_eq!(hours.total.stored, "3");
        assert_eq!(hours.columns[23].title, "12:00: 3 stored, 1,201 rejected");
        assert_eq!(hours.columns[22].title, "11:00: nothing received");
        let page = hours.render().expect("a figure");
        assert!(!page.contains("style="), "{page}");
    }

    #[test]
    fn bars_stay_in_their_figure() {
        for parts in [[1, 1, 1, 1], [i64::MAX / 8, 0, 0, 1], [0, 0, 0, 5]] {
            let peak = parts.iter().sum::<i64>().max(10);
            for bar in bars(0.0, parts, peak) {
                let (y, height): (f64, f64) = (
                    bar.y.parse().expect("a number"),
                    bar.height.parse().expect("a number"),
                );
                assert!(y >= 0.0 && height >= 2.0 && y + height <= HEIGHT + 0.1);
            }
        }
    }
}
