//! Converts the types that a sender uses to event types.
//!
//! Subscribers know the types of their sender's documentation, so these are kept as far as an event
//! type can hold them: `invoice.paid` is `invoice.paid`. Letters become lower case. `/` separates
//! in the same way as `.` (Shopify's `orders/create` is `orders.create`, so that `orders.*` matches
//! it). Any other character that is not allowed becomes `_`. A prefix keeps the types of different
//! senders apart.

use crate::domain::{EventType, SourceName};
use std::{fmt, str::FromStr};

/// The longest type, in bytes. The store may append `.conflict`.
const LONGEST: usize = 200;

/// The longest prefix, in bytes.
const LONGEST_PREFIX: usize = 100;

/// First segments that no sender may use: those of Hookfast's own types and of sources of kind
/// `airalo`.
const RESERVED: [&str; 2] = ["hookfast", "airalo"];

/// The prefix of all types of a source, such as `stripe` or `acme.billing`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypePrefix(EventType);

/// The text cannot be the prefix of types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a prefix for types: segments of a-z, 0-9 and '_', joined by dots, at most {LONGEST_PREFIX} bytes, and not beginning with hookfast or airalo"
)]
pub struct InvalidPrefix(String);

impl FromStr for TypePrefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let prefix = text
            .parse()
            .ok()
            .filter(|_| text.len() <= LONGEST_PREFIX && !is_reserved(text));
        prefix
            .map(Self)
            .ok_or_else(|| InvalidPrefix(text.chars().take(LONGEST_PREFIX).collect()))
    }
}

impl TypePrefix {
    /// The prefix made of a source's name, or `None` if the name is reserved.
    pub fn of_source(name: &SourceName) -> Option<Self> {
        name.as_str().replace('-', "_").parse().ok()
    }
}

impl fmt::Display for TypePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The type made of the prefix and `words`, joined by dots. If the words are not usable (none, no
/// letter or digit, too long, or reserved), the type is `{prefix}.unknown`, or `{kind}.unknown`
/// without a prefix.
pub(super) fn event_type(
    prefix: Option<&TypePrefix>,
    kind: &'static str,
    words: &[String],
) -> EventType {
    let legal = legal(&words.join("."));
    let named = match prefix {
        Some(prefix) => format!("{prefix}.{legal}"),
        None => legal.clone(),
    };
    let usable = legal.bytes().any(|b| b.is_ascii_alphanumeric())
        && named.len() <= LONGEST
        && !is_reserved(&named);
    let unknown = || {
        format!(
            "{}.unknown",
            prefix.map_or(kind, |prefix| prefix.0.as_str())
        )
    };
    let name = if usable { named } else { unknown() };
    name.parse()
        .expect("only legal segments are left, none of them is empty, and the length was checked")
}

fn is_reserved(name: &str) -> bool {
    name.split('.')
        .next()
        .is_some_and(|first| RESERVED.contains(&first))
}

/// Converts the words to valid segments joined by dots, without empty ones.
fn legal(words: &str) -> String {
    let mut legal = String::with_capacity(words.len());
    for segment in words
        .split(['.', '/'])
        .filter(|segment| !segment.is_empty())
    {
        if !legal.is_empty() {
            legal.push('.');
        }
        legal.extend(segment.chars().map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        }));
    }
    legal
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(prefix: Option<&str>, words: &[&str]) -> String {
        let prefix = prefix.map(|prefix| prefix.parse().expect("a prefix"));
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        event_type(prefix.as_ref(), "hmac", &words)
            .as_str()
            .to_owned()
    }

    #[test]
    fn a_senders_type_is_kept_as_far_as_a_type_can_hold_it() {
        let (long, longest) = ("a".repeat(201), "a".repeat(200));
        for (prefix, words, expected) in [
            (None, &["invoice.paid"][..], "invoice.paid"),
            (Some("stripe"), &["invoice.paid"], "stripe.invoice.paid"),
            (
                Some("github"),
                &["pull_request", "opened"],
                "github.pull_request.opened",
            ),
            (Some("shopify"), &["orders/create"], "shopify.orders.create"),
            (None, &["User.Created"], "user.created"),
            (None, &["user created-now"], "user_created_now"),
            (None, &["..a..b/."], "a.b"),
            (None, &["é.x"], "_.x"),
            (None, &[], "hmac.unknown"),
            (Some("acme.eu"), &[], "acme.eu.unknown"),
            (None, &["", "..", "_", "é"], "hmac.unknown"),
            (None, &[&longest], &longest),
            (None, &[&long], "hmac.unknown"),
            (Some("a"), &[&longest], "a.unknown"),
            (None, &["hookfast.dead_letter"], "hmac.unknown"),
            (None, &["HOOKFAST/x"], "hmac.unknown"),
            (None, &["airalo.order.completed"], "hmac.unknown"),
            (None, &["Airalo", "order"], "hmac.unknown"),
            (Some("acme"), &["hookfast.x"], "acme.hookfast.x"),
            (Some("acme"), &["airalo.x"], "acme.airalo.x"),
            (None, &["hookfastly"], "hookfastly"),
        ] {
            assert_eq!(typed(prefix, words), expected, "{prefix:?} {words:?}");
        }
    }

    #[test]
    fn invalid_and_reserved_prefixes_are_rejected() {
        for wrong in [
            "",
            "Acme",
            "acme.",
            "a-b",
            "hookfast",
            "hookfast.x",
            "airalo.x",
            &"a".repeat(101),
        ] {
            assert!(wrong.parse::<TypePrefix>().is_err(), "{wrong}");
        }
    }

    proptest! {
        /// The store appends `.conflict` to a type, perhaps to one that already ends so, and parses
        /// the result.
        #[test]
        fn any_text_of_a_sender_becomes_a_type_also_in_a_conflict(words: Vec<String>, many in "([a-zA-Z./é]|\\.conflict){0,260}") {
            for words in [&words[..], &[many]] {
                for prefix in [None, Some("acme".parse().expect("a prefix"))] {
                    let name = event_type(prefix.as_ref(), "hmac", words);
                    prop_assert!(format!("{name}.conflict").parse::<EventType>().is_ok(), "{}", name);
                }
            }
        }
    }
}
