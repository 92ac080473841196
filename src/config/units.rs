//! Parses durations and sizes as people write them.

use std::time::Duration;

/// `500ms`, `5s`, `2m`, `1h`, `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let problem = || {
        format!(
            "'{text}' is not a duration: write a whole number and ms, s, m, h or d, as in \"30s\""
        )
    };
    let (number, unit) = split(text).ok_or_else(problem)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(problem()),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(problem)
}

/// `1MiB`, `16KiB`, `100B`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let problem = || {
        format!(
            "'{text}' is not a size: write a whole number and B, KiB, MiB or GiB, as in \"1MiB\""
        )
    };
    let (number, unit) = split(text).ok_or_else(problem)?;
    let bytes = match unit {
        "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => return Err(problem()),
    };
    number.checked_mul(bytes).ok_or_else(problem)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_and_sizes_are_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(size("1MiB"), Ok(1_048_576));
        assert_eq!(size("10 KiB"), Ok(10_240));
        for wrong in [
            "",
            "5",
            "s",
            "-5s",
            "1.5h",
            "5 weeks",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(
                duration(wrong).is_err_and(|problem| problem.contains(wrong)),
                "{wrong}"
            );
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = (duration(&text), size(&text));
        }
    }
}
