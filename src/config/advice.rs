//! Advice about settings that are valid but may surprise. `hookfast check` prints it.

use super::{Config, HandlerConfig, HandlerKind};
use crate::config::clear_text::sends_in_the_clear;
use crate::domain::{PayloadFields, Pointer, TypePattern};
use crate::sources::Advice;

/// The name of Hookfast's own source, and the first segment of its event types.
const OWN: &str = "hookfast";

/// A source as handlers see it: its name, the prefix of its types (`None`: any type) and its
/// fields.
struct Known {
    name: String,
    prefix: Option<String>,
    fields: PayloadFields,
}

impl Config {
    /// Returns all advice, each with the setting it is about.
    pub fn advice(&self) -> Vec<Advice> {
        let known = self.known();
        let mut advice: Vec<_> = self
            .odd_secrets()
            .into_iter()
            .map(Advice::Warning)
            .collect();
        for source in &self.sources {
            let place = |text: &String| format!("[sources.{}] {text}", source.name);
            advice.extend(source.kind.advice().iter().map(|advice| match advice {
                Advice::Note(text) => Advice::Note(place(text)),
                Advice::Warning(text) => Advice::Warning(place(text)),
            }));
            for pointer in source.kind.key_members() {
                let fields = source.kind.fields().and(&source.fields);
                if is_secret(&pointer, &fields) {
                    advice.push(Advice::Warning(format!(
                        "[sources.{}] key: '{pointer}' is one of its secret_fields, and readers of the database see the idempotency key. Use another member, or remove it from secret_fields",
                        source.name
                    )));
                }
            }
        }
        advice.extend(known.iter().flat_map(searched_secrets));
        advice.extend(
            self.handlers
                .iter()
                .flat_map(|handler| self.of_handler(handler, &known)),
        );
        advice
    }

    fn known(&self) -> Vec<Known> {
        let sent = self.sources.iter().map(|source| Known {
            name: source.name.to_string(),
            prefix: source.kind.type_prefix(),
            fields: source.kind.fields().and(&source.fields),
        });
        let fed = self.sql_sources.iter().map(|(name, fields)| Known {
            name: name.to_string(),
            prefix: None,
            fields: fields.clone(),
        });
        let own = Known {
            name: OWN.to_owned(),
            prefix: Some(OWN.to_owned()),
            fields: PayloadFields::default(),
        };
        sent.chain(fed).chain([own]).collect()
    }

    fn of_handler(&self, handler: &HandlerConfig, known: &[Known]) -> Vec<Advice> {
        let takes = |source: &&Known| {
            handler
                .sources
                .as_ref()
                .is_none_or(|names| names.iter().any(|name| name.as_str() == source.name))
        };
        let from: Vec<_> = known.iter().filter(takes).collect();
        let mut advice = Vec::new();
        for pattern in &handler.types {
            if !from
                .iter()
                .any(|source| may_match(pattern, source.prefix.as_deref()))
            {
                let prefixes: Vec<_> = from
                    .iter()
                    .filter_map(|source| source.prefix.as_deref())
                    .collect();
                advice.push(Advice::Warning(format!(
                    "[handlers.{}] types: '{pattern}' matches no type of its sources: their types begin with {}. Correct the pattern, or the source's type_prefix",
                    handler.name,
                    prefixes.join(", ")
                )));
            }
        }
        if let Some(order) = &handler.policy.order
            && let Some(source) = from
                .iter()
                .find(|source| is_secret(&order.by, &source.fields))
        {
            advice.push(Advice::Warning(format!(
                "[handlers.{}] ordered_by: '{}' is one of the secret_fields of [sources.{}], and readers of the database see the key that a delivery keeps order by. Use another member, or remove it from secret_fields",
                handler.name, order.by, source.name
            )));
        }
        if let HandlerKind::Http(http) = &handler.kind
            && sends_in_the_clear(&http.url)
        {
            advice.push(Advice::Warning(format!(
                "[handlers.{}] url: http:// to a public host: the bodies can be read on the way. Use https://",
                handler.name
            )));
        }
        advice
    }
}

/// Whether the pattern can match a type with that prefix.
fn may_match(pattern: &TypePattern, prefix: Option<&str>) -> bool {
    let Some(prefix) = prefix else { return true };
    let types = format!("{prefix}.");
    match pattern.as_str() {
        "*" => true,
        pattern => match pattern.strip_suffix('*') {
            Some(begins) => begins.starts_with(&types) || types.starts_with(begins),
            None => pattern.starts_with(&types),
        },
    }
}

/// The whole value of a secret member is hidden, including everything below it.
fn is_secret(pointer: &Pointer, fields: &PayloadFields) -> bool {
    pointer
        .steps()
        .iter()
        .any(|step| fields.secret().contains(&step.to_lowercase()))
}

fn searched_secrets(source: &Known) -> impl Iterator<Item = Advice> {
    let both = source
        .fields
        .search()
        .iter()
        .filter(|name| source.fields.secret().contains(name));
    both.map(|name| {
        Advice::Warning(format!(
            "[sources.{}] search_fields: '{name}' is also one of its secret_fields: readers of the database can guess its value by searching for it. Remove it from one of the two",
            source.name
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::may_match;

    #[test]
    fn a_pattern_may_match_types_with_its_prefix() {
        for (pattern, prefix, expected) in [
            ("*", Some("stripe"), true),
            ("*", None, true),
            ("strip.*", None, true),
            ("strip.*", Some("stripe"), false),
            ("stripe.*", Some("stripe"), true),
            ("stripe.*", Some("stripe.eu"), true),
            ("stripe.eu.*", Some("stripe"), true),
            ("stripe.us.*", Some("stripe.eu"), false),
            ("stripe", Some("stripe"), false),
            ("stripe.paid", Some("stripe"), true),
            ("stripe.e.*", Some("stripe.eu"), false),
        ] {
            let pattern = pattern.parse().expect("a pattern");
            assert_eq!(
                may_match(&pattern, prefix),
                expected,
                "{pattern} {prefix:?}"
            );
        }
    }
}
