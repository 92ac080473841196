//! Percentiles, medians and tables.

use std::{fmt::Write as _, io::Write as _, time::Duration};

/// Measured times, in microseconds.
#[derive(Default)]
pub(crate) struct Times(Vec<u32>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0
            .push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest time that is not exceeded by `share` of all times, in milliseconds. NaN if
    /// there are none.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        if self.0.is_empty() {
            return f64::NAN;
        }
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        let index = rank.clamp(1, self.0.len()) - 1;
        let (_, time, _) = self.0.select_nth_unstable(index);
        f64::from(*time) / 1000.0
    }
}

/// The median. NaN if there are no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// A text table with aligned columns: the first to the left, the others to the right.
#[derive(Default)]
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    pub(crate) fn of(columns: &[&str]) -> Self {
        Self(vec![
            columns.iter().map(|column| (*column).to_owned()).collect(),
        ])
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    pub(crate) fn print(&self) {
        let mut text = String::new();
        for row in &self.0 {
            for (i, cell) in row.iter().enumerate() {
                let width = self
                    .0
                    .iter()
                    .filter_map(|row| row.get(i))
                    .map(|c| c.chars().count())
                    .max()
                    .unwrap_or(0);
                let _ = if i == 0 {
                    write!(text, "  {cell:<width$}")
                } else {
                    write!(text, "  {cell:>width$}")
                };
            }
            text.push('\n');
        }
        say(text.trim_end_matches('\n'));
    }
}

/// Prints a line.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Formats without decimals.
pub(crate) fn whole(value: f64) -> String {
    format!("{value:.0}")
}

/// Formats with two decimals.
pub(crate) fn fine(value: f64) -> String {
    format!("{value:.2}")
}
