//! Bounds of time that a person typed or chose.

use super::{row::Timestamp, view::time};

/// The end of the year 9999. Postgres knows later times, and nobody means one.
const LAST: i64 = 253_402_300_799_999_999;

/// Parses `2026-11-28`, `2026-11-28 14:00`, `2026-11-28T14:00:00.5Z`, or a time before now such as
/// `24h`. Everything is UTC.
pub(super) fn parse(text: &str, now: i64) -> Option<Timestamp> {
    let text = text.trim();
    before_now(text, now).or_else(|| at(text)).map(Timestamp)
}

/// As Postgres reads it, to the microsecond.
pub(super) fn exact(at: Timestamp) -> String {
    let micros = at.0.clamp(0, LAST);
    format!("{}.{:06}+00", time::full(micros), micros % 1_000_000)
}

fn before_now(text: &str, now: i64) -> Option<i64> {
    let unit = match text.chars().last()? {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u32 = text[..text.len() - 1].parse().ok()?;
    Some(
        now.saturating_sub(i64::from(number) * unit * 1_000_000)
            .max(0),
    )
}

fn at(text: &str) -> Option<i64> {
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let seconds = match clock.matches(':').count() {
        1 => ":00",
        2 => "",
        _ => return None,
    };
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<_> = date.split('-').chain(whole.split(':')).collect();
    if !parts.iter().all(|part| digits(part, 4)) || !digits(fraction, 6) {
        return None;
    }
    let at = super::row::parse(&format!("{date}T{whole}{seconds}.{fraction}Z"))?;
    // 30 February is 1 March, and 25:00 tomorrow: what is written again has to be the same.
    let again = time::full(at);
    let same = again.split(['-', ' ', ':']).zip(&parts);
    (0..=LAST).contains(&at).then_some(())?;
    same.into_iter()
        .all(|(a, b)| a.parse::<u32>().ok() == b.parse().ok())
        .then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_867_384_412_345;

    #[test]
    fn what_people_write_is_a_time() {
        for (text, expected) in [
            ("2026-11-28", "2026-11-28 00:00:00.000000+00"),
            ("2026-11-28 14:00", "2026-11-28 14:00:00.000000+00"),
            ("2026-11-28T14:00", "2026-11-28 14:00:00.000000+00"),
            (" 2026-11-28T14:00:05.25Z", "2026-11-28 14:00:05.250000+00"),
            ("2026-11-28 14:00:05 UTC", "2026-11-28 14:00:05.000000+00"),
            ("24h", "2026-11-27 12:03:04.412345+00"),
            ("90m", "2026-11-28 10:33:04.412345+00"),
        ] {
            assert_eq!(
                parse(text, NOW).map(exact).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn everything_else_is_none() {
        for text in [
            "",
            "yesterday",
            "24",
            "h",
            "-1h",
            "2026-02-30",
            "2026-11-28 25:00",
            "2026-11-28 1:2:3:4",
            "infinity",
            "2026-11-28'; DROP",
            "é",
            "99999999999d",
            "+2026-11-28",
            "0001-01-01",
        ] {
            assert_eq!(parse(text, NOW), None, "{text}");
        }
    }
}
