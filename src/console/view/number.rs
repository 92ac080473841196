//! Numbers as people read them.

/// With a comma between groups of three digits: `12,345`.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count by a statement that stops at `cap + 1` rows, because counting a long history costs more
/// than it tells: `10,000+`.
pub(crate) fn capped(count: i64, cap: i64) -> String {
    if count > cap {
        format!("{}+", grouped(cap))
    } else {
        grouped(count)
    }
}

/// Rows that are newer than those of a page, counted up to a cap: `12 newer`. Empty for 0.
pub(crate) fn newer(count: usize, cap: u32) -> String {
    match i64::try_from(count).unwrap_or(i64::MAX) {
        0 => String::new(),
        some => format!("{} newer", capped(some, cap.into())),
    }
}

/// Empty for 0. In a column of numbers, the eye finds what is not 0.
pub(crate) fn unless_zero(count: i64) -> String {
    if count == 0 {
        String::new()
    } else {
        grouped(count)
    }
}

/// A count with its noun: `1 delivery`, `212 deliveries`.
pub(crate) fn counted(count: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A size: exact below 100 KiB, since the sizes of payloads are compared.
pub(crate) fn bytes(size: u64) -> String {
    const KIB: u64 = 1024;
    let in_units = |unit: u64, name: &str| {
        let tenths = size.saturating_mul(10) / unit;
        if tenths < 1000 {
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        } else {
            format!(
                "{} {name}",
                grouped(i64::try_from(tenths / 10).unwrap_or(i64::MAX))
            )
        }
    };
    match size {
        1 => "1 byte".to_owned(),
        _ if size < 100 * KIB => {
            format!("{} bytes", grouped(i64::try_from(size).unwrap_or(i64::MAX)))
        }
        _ if size < KIB * KIB => in_units(KIB, "KiB"),
        _ if size < KIB * KIB * KIB => in_units(KIB * KIB, "MiB"),
        _ => in_units(KIB * KIB * KIB, "GiB"),
    }
}

/// The width of a bar of 64 units. What is not 0 can be seen.
pub(crate) fn bar(part: u64, whole: u64) -> u64 {
    match (part, whole) {
        (0, _) | (_, 0) => 0,
        _ => (u128::from(part.min(whole)) * 64 / u128::from(whole)).max(2) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-12345, "-12,345"),
            (1234567, "1,234,567"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_count_that_stopped_at_its_cap_says_so() {
        assert_eq!(capped(10_000, 10_000), "10,000");
        assert_eq!(capped(10_001, 10_000), "10,000+");
        assert_eq!(unless_zero(0), "");
        assert_eq!(counted(1, "delivery", "deliveries"), "1 delivery");
        assert_eq!(counted(0, "delivery", "deliveries"), "0 deliveries");
    }

    #[test]
    fn sizes_of_payloads_are_exact() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1454), "1,454 bytes");
        assert_eq!(bytes(1024 * 1024), "1.0 MiB");
        assert_eq!(bytes(150 * 1024), "150 KiB");
        assert_eq!(bytes(u64::MAX).split(' ').nth(1), Some("GiB"));
    }

    #[test]
    fn a_bar_never_leaves_its_track_and_never_hides_something() {
        assert_eq!(bar(0, 10), 0);
        assert_eq!(bar(1, 10_000), 2);
        assert_eq!(bar(5, 10), 32);
        assert_eq!(bar(20, 10), 64);
        assert_eq!(bar(5, 0), 0);
        assert_eq!(bar(u64::MAX, u64::MAX), 64);
    }
}
