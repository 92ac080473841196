//! Reads single values of a JSON body without parsing the rest into memory, and keeps them as they
//! were written.
//!
//! Values stay slices of the body, so a number past 2^53 or with a trailing zero is never rounded.
//! Other values are skipped in a loop and not by recursion. So neither depth nor size of a body
//! costs more than its length for each step of a pointer.

use crate::domain::Pointer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

impl Pointer {
    /// The string at this place, if it is not blank.
    pub(super) fn text(&self, body: &[u8]) -> Option<String> {
        text(self.find(body))
    }

    /// The string at this place, if it is not blank, or the number as written.
    pub(super) fn scalar(&self, body: &[u8]) -> Option<String> {
        scalar(self.find(body))
    }

    /// The value at this place. Also `None` if the body as a whole is not JSON. If a name occurs
    /// twice, the last one counts, as in Postgres's `jsonb` and in most languages.
    fn find<'b>(&self, body: &'b [u8]) -> Option<&'b RawValue> {
        let mut value: &RawValue = serde_json::from_slice(body).ok()?;
        for step in self.steps() {
            let mut reader = serde_json::Deserializer::from_str(value.get());
            value = match value.get().as_bytes().first()? {
                b'{' => Member(step).deserialize(&mut reader).ok()??,
                b'[' => Element(index(step)?).deserialize(&mut reader).ok()??,
                _ => return None,
            };
        }
        Some(value)
    }
}

/// Accepts digits without a leading zero.
fn index(step: &str) -> Option<usize> {
    let digits =
        step.bytes().all(|b| b.is_ascii_digit()) && (step == "0" || !step.starts_with('0'));
    digits.then(|| step.parse().ok())?
}

struct Member<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = None;
        while let Some(matches) = map.next_key_seed(NameMatches(self.0))? {
            if matches {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Compares a member's name. The name is read without a copy if possible.
struct NameMatches<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for NameMatches<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameMatches<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

struct Element(usize);

impl<'de> DeserializeSeed<'de> for Element {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Element {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut sequence: S) -> Result<Self::Value, S::Error> {
        for _ in 0..self.0 {
            if sequence.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = sequence.next_element()?;
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// A string that is not blank.
pub(super) fn text(raw: Option<&RawValue>) -> Option<String> {
    let text: String = serde_json::from_str(raw?.get()).ok()?;
    if text.trim().is_empty() {
        None
    } else {
        Some(text)
    }
}

/// A string that is not blank, or a number as written.
pub(super) fn scalar(raw: Option<&RawValue>) -> Option<String> {
    text(raw).or_else(|| number(raw))
}

/// A number as written.
pub(super) fn number(raw: Option<&RawValue>) -> Option<String> {
    let written = raw?.get();
    written
        .starts_with(|c: char| c == '-' || c.is_ascii_digit())
        .then(|| written.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(pointer: &str, body: &str) -> Option<String> {
        pointer
            .parse::<Pointer>()
            .expect(pointer)
            .scalar(body.as_bytes())
    }

    #[test]
    fn a_pointer_finds_its_value_as_it_is_written() {
        let body = r#" {"a":{"b":[1,{"c":"x\u0041"},-0.50],"":"empty","a/b~":"odd"}, "n":12345678901234567890123, "t":true, "s":" "} "#;
        for (pointer, expected) in [
            ("/a/b/0", Some("1")),
            ("/a/b/1/c", Some("xA")),
            ("/a/b/2", Some("-0.50")),
            ("/a/", Some("empty")),
            ("/a/a~1b~0", Some("odd")),
            ("/n", Some("12345678901234567890123")),
            ("/a/b/3", None),
            ("/a/b/00", None),
            ("/a/b/-", None),
            ("/a/b/99999999999999999999999", None),
            ("/a/b", None),
            ("/t", None),
            ("/s", None),
            ("/n/0", None),
            ("/nothing/at/all", None),
        ] {
            assert_eq!(at(pointer, body).as_deref(), expected, "{pointer}");
        }
        assert_eq!(
            at("/a", r#"{"a":1,"b":2,"\u0061":"last"}"#).as_deref(),
            Some("last")
        );
        for broken in ["", "{", r#"{"a":1"#, r#"{"a":1} x"#, "[1]"] {
            assert_eq!(at("/a", broken), None, "{broken}");
        }
        assert_eq!(
            at(
                "/a",
                &format!(
                    r#"{{"x":{}{},"a":1}}"#,
                    "[".repeat(100_000),
                    "]".repeat(100_000)
                )
            ),
            Some("1".into())
        );
    }

    proptest! {
        /// `serde_json` supports pointers too. Both must find the same value.
        #[test]
        fn it_agrees_with_a_tree(
            steps in prop::collection::vec("[ab01~/]{0,2}", 1..4),
            body in prop::sample::select(vec![
                r#"{"a":{"b":"1","":{"~":"2"}},"0":["3",{"a":"4"}],"/":"5","01":"6"}"#,
                r#"[["1",{"a":"2","0":"3"}],{"b":["4"],"a~":"5","":["6",[["7"]]]}]"#,
                r#"{"":{"":{"":"1"}},"a":["2","3"],"b":[["4"],[],[["5"]]],"1":{"0":{"a":"6"}}}"#,
            ]),
        ) {
            let written: String = steps.iter().map(|s| format!("/{}", s.replace('~', "~0").replace('/', "~1"))).collect();
            let tree: serde_json::Value = serde_json::from_str(body).expect("JSON");
            let found = at(&written, body);
            prop_assert_eq!(found.as_deref(), tree.pointer(&written).and_then(|v| v.as_str()), "{}", written);
        }

        #[test]
        fn no_text_and_no_body_panics(text: String, body: Vec<u8>) {
            if let Ok(pointer) = text.parse::<Pointer>() { pointer.scalar(&body); }
            if let Ok(pointer) = format!("/{text}").parse::<Pointer>() { pointer.text(&body); }
        }
    }
}
