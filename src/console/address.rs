//! Addresses of pages with parameters.

use url::form_urlencoded;

/// An address, to which parameters are added.
#[derive(Clone, Debug)]
pub(super) struct Address(String);

impl Address {
    /// `path` is a constant of the program, or made by [`segment`].
    pub(super) fn of(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// Adds a parameter, unless its value is absent or empty.
    pub(super) fn with(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.0.push(if self.0.contains('?') { '&' } else { '?' });
            self.0.push_str(name);
            self.0.push('=');
            self.0
                .extend(form_urlencoded::byte_serialize(value.as_bytes()));
        }
        self
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// A name as the last part of a path: a space is `%20` there, and not `+`.
pub(super) fn segment(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// As [`segment`], or `None` for a name that a browser takes for a relative path.
pub(super) fn named_segment(name: &str) -> Option<String> {
    (!["", ".", ".."].contains(&name)).then(|| segment(name))
}

/// A page with its parameters. Those that are empty are left out.
pub(super) fn page(path: &str, parameters: &[(&str, &str)]) -> String {
    let address = parameters
        .iter()
        .fold(Address::of(path), |address, (name, value)| {
            address.with(name, Some(value))
        });
    address.into_string()
}

/// The page that previews an act.
pub(super) fn act(function: &str, parameters: &[(&str, &str)]) -> String {
    page(&format!("/act/{function}"), parameters)
}

/// A choice: a tab, or a part of a window.
pub(super) struct Choice {
    pub(super) href: String,
    pub(super) label: String,
    pub(super) current: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded() {
        let address = Address::of("/dead")
            .with("handler", Some("shop"))
            .with("type", None)
            .with("reason", Some(""))
            .with("error", Some("status 5%&x=<\u{202e}"));
        assert_eq!(
            address.into_string(),
            "/dead?handler=shop&error=status+5%25%26x%3D%3C%E2%80%AE"
        );
        assert_eq!(segment("a b/c?d#e"), "a%20b%2Fc%3Fd%23e");
        assert_eq!(named_segment("a+b").as_deref(), Some("a%2Bb"));
        assert_eq!(named_segment(".."), None);
        assert_eq!(
            act("replay", &[("event_id", "1"), ("handler", "a&b=c")]),
            "/act/replay?event_id=1&handler=a%26b%3Dc"
        );
    }
}
