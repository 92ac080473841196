//! The address of a page with some of its parameters changed. A page is its address, so each filter,
//! tab and page of a list is a link.

use super::request::PageRequest;
use url::form_urlencoded;

/// A path with parameters.
#[derive(Clone, Debug)]
pub(super) struct Link {
    path: String,
    parameters: Vec<Parameter>,
}

/// A parameter of an address, or a hidden field of a form.
#[derive(Clone, Debug)]
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

impl Link {
    pub(super) fn to(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            parameters: Vec::new(),
        }
    }

    /// The address of the request, with the parameters that the page knows.
    pub(super) fn here(request: &PageRequest, known: &[&'static str]) -> Self {
        known
            .iter()
            .fold(Self::to(request.uri.path()), |link, name| {
                link.with(name, request.parameter(name).unwrap_or_default())
            })
    }

    /// Sets a parameter. An empty one is left out.
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
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

    pub(super) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    pub(super) fn href(&self) -> String {
        if self.parameters.is_empty() {
            return self.path.clone();
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        for parameter in &self.parameters {
            query.append_pair(parameter.name, &parameter.value);
        }
        format!("{}?{}", self.path, query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_set_once_and_encoded() {
        let link = Link::to("/events")
            .with("source", "a&b")
            .with("window", "1h")
            .with("source", "a b=ü")
            .with("type", "");
        assert_eq!(link.href(), "/events?window=1h&source=a+b%3D%C3%BC");
        assert_eq!(link.without(&["window", "source"]).href(), "/events");
    }
}
