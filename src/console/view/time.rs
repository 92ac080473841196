//! Times in UTC from microseconds since 1970, and how long things take.
//!
//! Every time of a page is UTC; console.js adds the zone of the browser as a title.

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// For the attribute `datetime`: `2026-11-28T12:03:04.412Z`.
pub(crate) fn iso(micros: i64) -> String {
    let (year, month, day) = date(micros.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}T{}Z", clock_millis(micros))
}

/// `2026-11-28 12:03:04`
pub(crate) fn full(micros: i64) -> String {
    let (year, month, day) = date(micros.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02} {}", clock(micros))
}

/// `12:03:04`
pub(crate) fn clock(micros: i64) -> String {
    let seconds = micros.rem_euclid(DAY) / SECOND;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `12:03:04.412`, for timelines, in which several things happen in a second.
pub(crate) fn clock_millis(micros: i64) -> String {
    format!("{}.{:03}", clock(micros), micros.rem_euclid(SECOND) / 1000)
}

/// `12:03`
pub(crate) fn minute(micros: i64) -> String {
    clock(micros)[..5].to_owned()
}

/// The shortest text without doubt: the time of today, else the date too.
pub(crate) fn near(micros: i64, now: i64) -> String {
    if micros.div_euclid(DAY) == now.div_euclid(DAY) {
        clock(micros)
    } else {
        full(micros)
    }
}

/// `13 min ago`, `in 4 min`, `now`
pub(crate) fn age(micros: i64, now: i64) -> String {
    let passed = now.saturating_sub(micros);
    match passed {
        ..=-1_000_000 => format!("in {}", duration(passed.saturating_neg())),
        SECOND.. => format!("{} ago", duration(passed)),
        _ => "now".to_owned(),
    }
}

/// How long ago something was in the minute that begins at this time: `less than 4 min ago`.
pub(crate) fn age_of_minute(micros: i64, now: i64) -> String {
    match now.saturating_sub(micros) {
        passed @ 0..HOUR => format!("less than {} min ago", passed / MINUTE + 1),
        _ => age(micros, now),
    }
}

/// Two units at most: `3 ms`, `4.2 s`, `34 s`, `13 min`, `2 h 51 min`, `3 d 4 h`.
pub(crate) fn duration(micros: i64) -> String {
    let two = |large: i64, large_name: &str, small: i64, small_name: &str| {
        if small == 0 {
            format!("{large} {large_name}")
        } else {
            format!("{large} {large_name} {small} {small_name}")
        }
    };
    let micros = micros.max(0);
    match micros {
        ..1_000 => "under 1 ms".to_owned(),
        1_000..SECOND => format!("{} ms", micros / 1000),
        SECOND..MINUTE => {
            let tenths = micros % SECOND / (SECOND / 10);
            if tenths > 0 && micros < 10 * SECOND {
                format!("{}.{tenths} s", micros / SECOND)
            } else {
                format!("{} s", micros / SECOND)
            }
        }
        MINUTE..HOUR => format!("{} min", micros / MINUTE),
        HOUR..DAY => two(micros / HOUR, "h", micros % HOUR / MINUTE, "min"),
        DAY.. => two(micros / DAY, "d", micros % DAY / HOUR, "h"),
    }
}

/// Year, month and day from the days since 1970: Howard Hinnant's `civil_from_days`.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        let at = 1_795_867_384_412_000;
        assert_eq!(iso(at), "2026-11-28T12:03:04.412Z");
        assert_eq!(full(at), "2026-11-28 12:03:04");
        assert_eq!(clock_millis(at), "12:03:04.412");
        assert_eq!(minute(at), "12:03");
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(full(951_782_400_000_000), "2000-02-29 00:00:00");
        assert_eq!(full(4_107_542_399_000_000), "2100-02-28 23:59:59");
    }

    #[test]
    fn today_needs_no_date() {
        let now = 1_795_867_384_412_000;
        assert_eq!(near(now - MINUTE, now), "12:02:04");
        assert_eq!(near(now - DAY, now), "2026-11-27 12:03:04");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (micros, text) in [
            (-5, "under 1 ms"),
            (3_400, "3 ms"),
            (999_999, "999 ms"),
            (SECOND, "1 s"),
            (4_250_000, "4.2 s"),
            (34 * SECOND, "34 s"),
            (13 * MINUTE + 59 * SECOND, "13 min"),
            (2 * HOUR + 51 * MINUTE, "2 h 51 min"),
            (HOUR, "1 h"),
            (3 * DAY + 4 * HOUR, "3 d 4 h"),
        ] {
            assert_eq!(duration(micros), text);
        }
    }

    #[test]
    fn the_age_of_a_minute_is_a_bound() {
        let ten = 10 * HOUR;
        assert_eq!(age_of_minute(ten, ten + 54 * SECOND), "less than 1 min ago");
        assert_eq!(
            age_of_minute(ten, ten + 3 * MINUTE + 54 * SECOND),
            "less than 4 min ago"
        );
        assert_eq!(age_of_minute(ten, ten + 2 * HOUR), "2 h ago");
        assert_eq!(age_of_minute(ten, ten - 5 * SECOND), "in 5 s");
    }

    #[test]
    fn ages_have_a_direction() {
        assert_eq!(age(0, 13 * MINUTE), "13 min ago");
        assert_eq!(age(4 * MINUTE, 0), "in 4 min");
        assert_eq!(age(0, 900_000), "now");
        assert_eq!(age(900_000, 0), "now");
        assert_eq!(age(i64::MAX, i64::MIN).split(' ').next(), Some("in"));
    }
}
