//! The filters of the page, which the acts have too.

use super::super::{
    address::{Address, Choice, Parameter},
    moment,
    request::PageRequest,
    row::Timestamp,
};

/// The parameters of the page, in the order of its address.
#[derive(Default)]
pub(super) struct Filters {
    pub(super) handler: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) r#type: Option<String>,
    /// A pattern of ILIKE, as the acts take it.
    pub(super) error: Option<String>,
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
    pub(super) after_at: Option<Timestamp>,
    pub(super) before_at: Option<Timestamp>,
    /// What is wrong with them.
    pub(super) errors: Vec<String>,
}

/// A filter that is set.
pub(super) struct Chip {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// The page without it.
    pub(super) without: String,
}

impl Filters {
    pub(super) fn of(request: &PageRequest, now: i64) -> Self {
        let mut filters = Self {
            handler: request.parameter("handler"),
            reason: request.parameter("reason"),
            r#type: request.parameter("type"),
            error: request.parameter("error"),
            after: request.parameter("after"),
            before: request.parameter("before"),
            ..Self::default()
        };
        filters.check(now);
        filters
    }

    fn check(&mut self, now: i64) {
        let mut errors = Vec::new();
        let mut bound = |text: &Option<String>| {
            let text = text.as_deref()?;
            let at = moment::parse(text, now);
            if at.is_none() {
                errors.push(format!(
                    "“{text}” is not a time. Write 2026-11-28 14:00 in UTC, or 24h for a day ago."
                ));
            }
            at
        };
        self.after_at = bound(&self.after);
        self.before_at = bound(&self.before);
        if self.error.as_deref().is_some_and(ends_in_escape) {
            errors.push(
                "The pattern of the error ends in a backslash. Write \\\\ for one.".to_owned(),
            );
        }
        // No text of Postgres can contain it.
        if self.all().any(|(_, value)| value.contains('\0')) {
            errors.push("A filter contains the character NUL, which no text has.".to_owned());
        }
        self.errors = errors;
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("handler", &self.handler),
            ("reason", &self.reason),
            ("type", &self.r#type),
            ("error", &self.error),
            ("after", &self.after),
            ("before", &self.before),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    pub(super) fn address(&self) -> Address {
        self.address_without("")
    }

    pub(super) fn address_without(&self, without: &str) -> Address {
        self.all()
            .filter(|(name, _)| *name != without)
            .fold(Address::to("/dead"), |address, (name, value)| {
                address.with(name, value)
            })
    }

    pub(super) fn chips(&self) -> Vec<Chip> {
        self.all()
            .map(|(name, value)| Chip {
                name,
                value: value.to_owned(),
                without: self.address_without(name).href(),
            })
            .collect()
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.all().any(|(known, _)| known == name)
    }

    pub(super) fn kept_without(&self, without: &str) -> Vec<Parameter> {
        self.all()
            .filter(|(name, _)| *name != without)
            .map(|(name, value)| Parameter {
                name,
                value: value.to_owned(),
            })
            .collect()
    }

    /// Windows by when they died.
    pub(super) fn windows(&self) -> Vec<Choice> {
        [
            ("1h", "1h"),
            ("24h", "24h"),
            ("7d", "7d"),
            ("30d", "30d"),
            ("", "all"),
        ]
        .map(|(value, label)| Choice {
            href: self.address_without("after").with("after", value).href(),
            label: label.to_owned(),
            current: self.after.as_deref().unwrap_or_default() == value,
        })
        .into()
    }

    /// The address of an act on everything that matches.
    pub(super) fn act(&self, function: &str) -> String {
        let after = self.after_at.map(moment::exact);
        let before = self.before_at.map(moment::exact);
        Address::act(function)
            .with("handler", self.handler.as_deref().unwrap_or_default())
            .with("type", self.r#type.as_deref().unwrap_or_default())
            .with("error", self.error.as_deref().unwrap_or_default())
            .with("died_after", after.as_deref().unwrap_or_default())
            .with("died_before", before.as_deref().unwrap_or_default())
            .with("reason", self.reason.as_deref().unwrap_or_default())
            .href()
    }
}

/// ILIKE rejects such a pattern.
fn ends_in_escape(pattern: &str) -> bool {
    (pattern.len() - pattern.trim_end_matches('\\').len()) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Filters {
        let mut filters = Filters {
            handler: Some("shop".to_owned()),
            error: Some("status 5%".to_owned()),
            after: Some("24h".to_owned()),
            ..Filters::default()
        };
        filters.check(1_795_867_384_412_345);
        filters
    }

    #[test]
    fn acts_have_the_same_filters() {
        assert_eq!(
            sample().act("retry_all"),
            "/act/retry_all?handler=shop&error=status+5%25&died_after=2026-11-27+12%3A03%3A04.412345%2B00"
        );
        let mut filters = sample();
        filters.reason = Some("rejected".to_owned());
        assert!(filters.act("retry_all").ends_with("&reason=rejected"));
    }

    #[test]
    fn each_filter_can_be_removed() {
        let chips = sample().chips();
        let without: Vec<_> = chips.iter().map(|chip| chip.without.as_str()).collect();
        assert_eq!(
            without,
            [
                "/dead?error=status+5%25&after=24h",
                "/dead?handler=shop&after=24h",
                "/dead?handler=shop&error=status+5%25"
            ]
        );
    }

    #[test]
    fn invalid_filters_are_explained() {
        let mut filters = Filters {
            after: Some("yesterday".to_owned()),
            error: Some("a\\".to_owned()),
            r#type: Some("a\0b".to_owned()),
            ..Filters::default()
        };
        filters.check(0);
        assert_eq!(filters.errors.len(), 3);
        assert!(!ends_in_escape(r"a\\"));
        assert!(sample().errors.is_empty());
    }
}
