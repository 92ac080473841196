//! Addresses of pages. A page is its address, so each filter, tab and part of a list is a link.
//!
//! [`Address`] escapes each name in a path and each value of a parameter: nothing that a sender chose
//! leaves its place in a link.

use super::request::PageRequest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::{self, Display};
use url::form_urlencoded;

/// In a path, all but letters, digits and these four is escaped.
const OF_A_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A path, with parameters and a place on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    path: String,
    parameters: Vec<Parameter>,
    place: &'static str,
}

/// A parameter of an address, or a hidden field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// A choice among tabs or windows.
pub(super) struct Choice {
    pub(super) href: String,
    pub(super) label: String,
    pub(super) current: bool,
}

impl Address {
    pub(super) fn to(page: &'static str) -> Self {
        Self {
            path: page.to_owned(),
            parameters: Vec::new(),
            place: "",
        }
    }

    /// The address of the request, with the parameters that the page knows.
    pub(super) fn here(request: &PageRequest, known: &[&'static str]) -> Self {
        let here = Self {
            path: request.uri.path().to_owned(),
            ..Self::to("")
        };
        known.iter().fold(here, |address, name| {
            address.with(name, request.parameter(name).unwrap_or_default())
        })
    }

    pub(super) fn event(event_id: &str) -> Self {
        Self::to("/events").part(event_id)
    }

    pub(super) fn handler(name: &str) -> Self {
        Self::to("/handlers").part(name)
    }

    pub(super) fn source(name: &str) -> Self {
        Self::to("/sources").part(name)
    }

    pub(super) fn quarantined(id: i64) -> Self {
        Self::to("/quarantine").part(id)
    }

    /// The page that previews an act.
    pub(super) fn act(function: &str) -> Self {
        Self::to("/act").part(function)
    }

    /// Adds a name to the path. A browser takes a name of dots for a relative path, and then the
    /// address stays that of the list.
    pub(super) fn part(mut self, name: impl Display) -> Self {
        let name = name.to_string();
        if is_segment(&name) {
            self.path.push('/');
            self.path.extend(utf8_percent_encode(&name, OF_A_PATH));
        }
        self
    }

    /// Sets a parameter. An empty one is left out.
    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.parameters.retain(|parameter| parameter.name != name);
        let value = value.to_string();
        if !value.is_empty() {
            self.parameters.push(Parameter { name, value });
        }
        self
    }

    pub(super) fn without(mut self, names: &[&str]) -> Self {
        self.parameters
            .retain(|parameter| !names.contains(&parameter.name));
        self
    }

    /// The element of the page that is shown first.
    pub(super) fn at(self, place: &'static str) -> Self {
        Self { place, ..self }
    }

    pub(super) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    pub(super) fn href(&self) -> String {
        self.to_string()
    }
}

/// Whether a path can have this name.
pub(super) fn is_segment(name: &str) -> bool {
    !["", ".", ".."].contains(&name)
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if !self.parameters.is_empty() {
            let pairs = self.parameters.iter();
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs.map(|parameter| (parameter.name, &parameter.value)))
                .finish();
            write!(f, "?{query}")?;
        }
        if !self.place.is_empty() {
            write!(f, "#{}", self.place)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_set_once_and_encoded() {
        let address = Address::to("/events")
            .with("source", "a&b")
            .with("window", "1h")
            .with("source", "a b=ü<\u{202e}")
            .with("type", "")
            .at("rows");
        assert_eq!(
            address.href(),
            "/events?window=1h&source=a+b%3D%C3%BC%3C%E2%80%AE#rows"
        );
        assert_eq!(
            address.without(&["window", "source"]).href(),
            "/events#rows"
        );
        assert_eq!(
            Address::act("replay").with("handler", "a&b=c").href(),
            "/act/replay?handler=a%26b%3Dc"
        );
    }

    #[test]
    fn names_stay_one_part_of_the_path() {
        let order = Address::to("/orders").part("airalo").part("a b/c?d#e+%");
        assert_eq!(order.href(), "/orders/airalo/a%20b%2Fc%3Fd%23e%2B%25");
        assert_eq!(Address::event("0a-1b").href(), "/events/0a-1b");
        for name in ["", ".", ".."] {
            assert_eq!(Address::source(name).href(), "/sources");
        }
        assert_eq!(Address::handler("...").href(), "/handlers/...");
    }
}
