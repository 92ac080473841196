//! Values of rows, as the database writes them as JSON.

use super::view::{short, time};
use serde::{Deserialize, Deserializer, de::Error as _};

/// A time, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamp(pub(super) i64);

impl Timestamp {
    /// A time of this machine's clock.
    pub(super) fn of(at: std::time::SystemTime) -> Self {
        let since_1970 = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
    }

    /// For the attribute `datetime`.
    pub(super) fn iso(self) -> String {
        time::iso(self.0)
    }

    /// `12:03:04 UTC`
    pub(super) fn clock(self) -> String {
        format!("{} UTC", time::clock(self.0))
    }

    /// The time of today, else with its date.
    pub(super) fn near(self, now: Self) -> String {
        time::near(self.0, now.0)
    }

    /// `less than 4 min ago`, for what is known to the minute.
    pub(super) fn age_of_minute(self, now: Self) -> String {
        time::age_of_minute(self.0, now.0)
    }

    /// `13 min ago`
    pub(super) fn age(self, now: Self) -> String {
        time::age(self.0, now.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("not a time of Postgres in UTC"))
    }
}

/// A message of a view without what is for `psql`.
pub(super) fn brief<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let message = Option::<String>::deserialize(deserializer)?;
    Ok(message.as_deref().map(short::brief))
}

/// Parses `2026-11-29T01:28:59.386447+00:00`, as Postgres writes it in a session whose zone is UTC.
/// `infinity` and `-infinity` are the ends of the range.
pub(super) fn parse(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let local = text.strip_suffix("+00:00").or(text.strip_suffix('Z'))?;
    let (date, clock) = local.split_once('T')?;
    let mut parts = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.splitn(3, ':').map(str::parse::<i64>);
    let (hour, minute, second) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    // Howard Hinnant's days_from_civil. A year begins in March.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// A duration as Postgres writes an `interval`, such as `00:13:04.25` or `1 day 02:00:00`, in
/// microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) i64);

impl Span {
    /// `13 min`
    pub(super) fn text(self) -> String {
        time::duration(self.0)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        span(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("not an interval of days, hours, minutes and seconds"))
    }
}

fn span(text: &str) -> Option<i64> {
    let mut micros = 0;
    let mut words = text.split(' ');
    while let Some(word) = words.next() {
        if word.contains(':') {
            let (sign, clock) = match word.strip_prefix('-') {
                Some(clock) => (-1, clock),
                None => (1, word),
            };
            let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
            let mut seconds = 0;
            for part in clock.splitn(3, ':') {
                seconds = seconds * 60 + part.parse::<i64>().ok()?;
            }
            micros += sign
                * (seconds * 1_000_000
                    + format!("{fraction:0<6}").get(..6)?.parse::<i64>().ok()?);
        } else {
            let days = match words.next()? {
                "day" | "days" => 1,
                "mon" | "mons" => 30,
                "year" | "years" => 365,
                _ => return None,
            };
            micros += word.parse::<i64>().ok()? * days * 86_400_000_000;
        }
    }
    Some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2000-02-29T23:59:59.123Z",
            "2026-11-28T12:03:04.412Z",
            "1969-12-31T23:59:59.999Z",
        ] {
            let micros = parse(text).expect(text);
            assert_eq!(time::iso(micros), text);
            assert_eq!(parse(&text.replace('Z', "+00:00")), Some(micros));
        }
        assert_eq!(
            parse("2026-11-28T12:03:04+00:00"),
            Some(1_795_867_384_000_000)
        );
        assert_eq!(
            parse("2026-11-28T12:03:04.5+00:00"),
            Some(1_795_867_384_500_000)
        );
        for text in [
            "",
            "2026-11-28T12:03:04+01:00",
            "2026-11-28",
            "x-y-zTa:b:c+00:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn intervals_are_read() {
        assert_eq!(span("00:13:04.25"), Some(784_250_000));
        assert_eq!(span("1 day 02:00:00"), Some(26 * 3_600_000_000));
        assert_eq!(span("3 days"), Some(3 * 86_400_000_000));
        assert_eq!(span("-00:00:01"), Some(-1_000_000));
        assert_eq!(span("soon"), None);
    }
}
