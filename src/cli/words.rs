//! Formats counts with their nouns.

use std::fmt::Display;

/// `1 event`, `2 events`: a count with its noun. `nouns` is the plural.
pub(super) fn counted(count: impl Display, nouns: &str) -> String {
    let count = count.to_string();
    if count != "1" {
        return format!("{count} {nouns}");
    }
    let noun = match nouns.strip_suffix("ies") {
        Some(start) => format!("{start}y"),
        None => nouns.strip_suffix('s').unwrap_or(nouns).to_owned(),
    };
    format!("1 {noun}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_not_plural() {
        assert_eq!(counted(1, "dead letters"), "1 dead letter");
        assert_eq!(counted(1, "deliveries"), "1 delivery");
        assert_eq!(
            (counted(0, "events"), counted(2, "events")),
            ("0 events".to_owned(), "2 events".to_owned())
        );
        assert_eq!(counted(1, "sources"), "1 source");
    }
}
