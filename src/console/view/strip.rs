//! The intake strip: the last sixty minutes, mirrored about a line. Requests are above it,
//! deliveries below.
//!
//! The SVG has bars and no text: it is stretched to the width of the page, and text would be
//! stretched with it. The links of its columns are for pointers. Keyboards and screen readers get
//! the same links in a table.

use std::array;

use askama::Template;

use super::{number, time};

/// What a minute received and delivered, from the rollups.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Minute {
    /// Seconds since 1970.
    pub(crate) start: i64,
    pub(crate) stored: u64,
    pub(crate) duplicate: u64,
    pub(crate) rejected: u64,
    pub(crate) delivered: u64,
    pub(crate) retried: u64,
    pub(crate) dead: u64,
}

impl Minute {
    fn counts(&self) -> [u64; 6] {
        [
            self.stored,
            self.duplicate,
            self.rejected,
            self.delivered,
            self.retried,
            self.dead,
        ]
    }
}

/// The counts in the order in which they are drawn: each half away from the line.
const WORDS: [&str; 6] = [
    "stored",
    "duplicate",
    "rejected",
    "delivered",
    "retried",
    "dead",
];
/// Where the sum of each count leads. Nothing lists duplicates, which are not stored.
const PAGES: [&str; 6] = ["/events", "", "/sources", "/handlers", "/handlers", "/dead"];
const PITCH: f64 = 10.0;
/// A quiet minute must not fill its half of the strip.
const LEAST_PEAK: u64 = 10;

#[derive(Template)]
#[template(path = "strip.html")]
pub(crate) struct Strip {
    full: bool,
    height: u32,
    axis: f64,
    width: f64,
    columns: Vec<Column>,
    /// Received, then delivered.
    sides: [Side; 2],
    scale: Vec<String>,
}

impl askama::filters::HtmlSafe for Strip {}

struct Side {
    peak: String,
    sums: Vec<Sum>,
}

struct Sum {
    word: &'static str,
    count: String,
    is_none: bool,
    href: &'static str,
}

struct Column {
    x: f64,
    href: String,
    title: String,
    is_now: bool,
    bars: Vec<Bar>,
    iso: String,
    clock: String,
    counts: [String; 6],
}

struct Bar {
    word: &'static str,
    x: String,
    y: String,
    width: String,
    height: String,
}

impl Strip {
    /// 148 px, with its labels, sums and table. `link` makes the address of a minute from its
    /// start.
    pub(crate) fn full(minutes: &[Minute], link: impl Fn(i64) -> String) -> Self {
        Self::new(minutes, link, true)
    }

    /// 24 px, for the top of every other page.
    pub(crate) fn thin(minutes: &[Minute], link: impl Fn(i64) -> String) -> Self {
        Self::new(minutes, link, false)
    }

    fn new(minutes: &[Minute], link: impl Fn(i64) -> String, full: bool) -> Self {
        let height = if full { 148 } else { 24 };
        let axis = f64::from(height) / 2.0;
        let peak = |half: usize| {
            let sums = minutes
                .iter()
                .map(|m| m.counts()[half * 3..][..3].iter().sum::<u64>());
            sums.max().unwrap_or(0)
        };
        let peaks = [peak(0), peak(1)];
        let columns = minutes.iter().enumerate().map(|(index, minute)| {
            let x = index as f64 * PITCH;
            let counts = minute.counts();
            Column {
                x,
                href: link(minute.start),
                title: title(minute),
                is_now: index + 1 == minutes.len(),
                bars: bars(x, axis, &counts, peaks),
                iso: time::iso(minute.start * 1_000_000),
                clock: time::minute(minute.start * 1_000_000),
                counts: counts.map(|count| number::unless_zero(signed(count))),
            }
        });
        let side = |half: usize| Side {
            peak: number::grouped(signed(peaks[half])),
            sums: (half * 3..half * 3 + 3)
                .map(|index| sum(minutes, index))
                .collect(),
        };
        let quarters = minutes.chunks(15.max(minutes.len().div_ceil(4)));
        Self {
            full,
            height,
            axis,
            width: minutes.len().max(1) as f64 * PITCH,
            columns: columns.collect(),
            sides: array::from_fn(side),
            scale: quarters
                .map(|quarter| time::minute(quarter[0].start * 1_000_000))
                .collect(),
        }
    }

    fn words(&self) -> [&'static str; 6] {
        WORDS
    }

    /// Newest first, as lists are.
    fn rows(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().rev()
    }
}

fn sum(minutes: &[Minute], index: usize) -> Sum {
    let count = minutes.iter().map(|minute| minute.counts()[index]).sum();
    Sum {
        word: WORDS[index],
        count: number::grouped(signed(count)),
        is_none: count == 0,
        href: PAGES[index],
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// `12:03: 41 stored, 2 rejected; 44 delivered`
fn title(minute: &Minute) -> String {
    let counts = minute.counts();
    let half = |from: usize, nothing: &str| {
        let named = (from..from + 3).filter(|&index| counts[index] > 0);
        let texts: Vec<_> = named
            .map(|index| {
                format!(
                    "{} {}",
                    number::grouped(signed(counts[index])),
                    WORDS[index]
                )
            })
            .collect();
        if texts.is_empty() {
            nothing.to_owned()
        } else {
            texts.join(", ")
        }
    };
    let clock = time::minute(minute.start * 1_000_000);
    format!(
        "{clock}: {}; {}",
        half(0, "nothing received"),
        half(3, "nothing delivered")
    )
}

/// Each half has a scale of its own, since most events have several handlers. What is not 0 is at
/// least a line, so that one dead letter is seen beside ten thousand deliveries. Shapes differ and
/// not only colours: what was rejected or died stands apart from its column, and what is a repeat
/// (a duplicate, a retry) is narrow.
fn bars(x: f64, axis: f64, counts: &[u64; 6], peaks: [u64; 2]) -> Vec<Bar> {
    let mut bars = Vec::new();
    let (least, gap) = if axis > 20.0 { (3.0, 2.0) } else { (2.0, 1.0) };
    for half in 0..2 {
        let room = axis - 1.0 - gap;
        let per_count = room / peaks[half].max(LEAST_PEAK) as f64;
        let mut heights: [f64; 3] = array::from_fn(|index| match counts[half * 3 + index] {
            0 => 0.0,
            count => (count as f64 * per_count).max(least),
        });
        let excess = heights.iter().sum::<f64>() - room;
        if excess > 0.0
            && let Some(tallest) = heights.iter_mut().max_by(|a, b| a.total_cmp(b))
        {
            *tallest -= excess;
        }
        let mut from_axis = 1.0;
        for (index, height) in heights
            .into_iter()
            .enumerate()
            .filter(|(_, height)| *height > 0.0)
        {
            if index == 2 {
                from_axis += gap;
            }
            let (inset, width) = if index == 1 {
                (3.0, 4.0)
            } else {
                (1.0, PITCH - 2.0)
            };
            let y = if half == 0 {
                axis - from_axis - height
            } else {
                axis + from_axis
            };
            bars.push(Bar {
                word: WORDS[half * 3 + index],
                x: tenths(x + inset),
                y: tenths(y),
                width: tenths(width),
                height: tenths(height),
            });
            from_axis += height;
        }
    }
    bars
}

/// Short numbers: there are up to 360 bars on a page.
fn tenths(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests;
