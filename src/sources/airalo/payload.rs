//! The few fields that distinguish Airalo's bodies, parsed tolerantly and kept as they were
//! written.
//!
//! Values stay slices of the body until they are used, so a number past 2^53 or with a trailing
//! zero is never rounded. `serde_json` skips other values in a loop and not by recursion, and reads
//! each byte once per level (root, `data`, `sims`, one SIM). So neither depth nor size of a body
//! can cost more than its length.

use crate::sources::json::number;
pub(super) use crate::sources::json::{scalar, text};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The depth that `serde_json` accepts for its `Value`, so that handlers can parse every body of a
/// known type.
const DEEPEST: usize = 127;

/// The fields of one object, at the root or nested. If a name occurs twice, the last one counts, as
/// in Postgres's `jsonb` and in most languages.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) data: Option<&'a RawValue>,
    pub(super) iccid: Option<&'a RawValue>,
    pub(super) id: Option<&'a RawValue>,
    pub(super) level: Option<&'a RawValue>,
    pub(super) message: Option<&'a RawValue>,
    pub(super) package_name: Option<&'a RawValue>,
    pub(super) reason: Option<&'a RawValue>,
    pub(super) remaining: Option<&'a RawValue>,
    pub(super) request_id: Option<&'a RawValue>,
    pub(super) sims: Option<&'a RawValue>,
}

/// The fields at the root of a body. `None` if the body is not UTF-8, not JSON, too deep or not an
/// object.
pub(super) fn root(body: &[u8]) -> Option<Fields<'_>> {
    let text = std::str::from_utf8(body).ok()?;
    if is_too_deep(text) {
        None
    } else {
        serde_json::from_str(text).ok()
    }
}

/// The fields of a nested object. There are none if the value is not an object.
pub(super) fn object(raw: Option<&RawValue>) -> Fields<'_> {
    // Otherwise half a million numbers in place of SIMs would cost as many errors, each with its
    // text.
    let raw = raw.filter(|raw| raw.get().starts_with('{'));
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

/// The elements of an array. There are none if the value is not an array.
pub(super) fn array(raw: Option<&RawValue>) -> Vec<&RawValue> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

/// A number, or a string that holds one, as written.
pub(super) fn numeric(raw: Option<&RawValue>) -> Option<String> {
    number(raw).or_else(|| text(raw).filter(|text| is_numeric(text)))
}

fn is_numeric(text: &str) -> bool {
    // Rust also parses "inf" and "nan", which are not numbers here.
    text.parse::<f64>().is_ok()
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
}

fn is_too_deep(json: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' if depth == DEEPEST => return true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Data,
    Iccid,
    Id,
    Level,
    Message,
    PackageName,
    Reason,
    Remaining,
    RequestId,
    Sims,
    #[serde(other)]
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Fields::default();
                while let Some(member) = map.next_key()? {
                    let field = match member {
                        Member::Data => &mut fields.data,
                        Member::Iccid => &mut fields.iccid,
                        Member::Id => &mut fields.id,
                        Member::Level => &mut fields.level,
                        Member::Message => &mut fields.message,
                        Member::PackageName => &mut fields.package_name,
                        Member::Reason => &mut fields.reason,
                        Member::Remaining => &mut fields.remaining,
                        Member::RequestId => &mut fields.request_id,
                        Member::Sims => &mut fields.sims,
                        Member::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *field = Some(map.next_value()?);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_too_deep_if_a_handler_could_not_parse_it() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            for depth in [1, 126, 127, 128, 129] {
                let inner = format!("{}1{}", open.repeat(depth - 1), close.repeat(depth - 1));
                let body = format!(r#"{{"x":{inner}}}"#);
                let readable = serde_json::from_str::<serde_json::Value>(&body).is_ok();
                assert_eq!(root(body.as_bytes()).is_some(), readable, "{open} {depth}");
                assert_eq!(readable, depth <= DEEPEST, "{open} {depth}");
            }
        }
    }

    #[test]
    fn brackets_in_strings_are_not_depth() {
        let body = format!(r#"{{"x":"\\\"{}","id":1}}"#, "[".repeat(500));
        assert_eq!(
            scalar(root(body.as_bytes()).expect("shallow").id).as_deref(),
            Some("1")
        );
    }

    #[test]
    fn values_are_kept_as_written() {
        let fields =
            root(br#" {"id": 90071992547409931234, "iccid": "\u0038\/1", "rem\u0061ining": 225.350 , "level": null} "#)
                .expect("an object");
        assert_eq!(scalar(fields.id).as_deref(), Some("90071992547409931234"));
        assert_eq!(scalar(fields.iccid).as_deref(), Some("8/1"));
        assert_eq!(numeric(fields.remaining).as_deref(), Some("225.350"));
        assert_eq!(scalar(fields.level), None);
    }

    #[test]
    fn a_numeric_string_is_a_number_and_a_word_is_not() {
        for (json, expected) in [
            ("-0.50", Some("-0.50")),
            (r#""-0.50""#, Some("-0.50")),
            (r#""1e400""#, Some("1e400")),
            (r#""inf""#, None),
            (r#""NaN""#, None),
            (r#""""#, None),
            (r#"" ""#, None),
            (r#""12 EUR""#, None),
            ("true", None),
            ("[1]", None),
        ] {
            let raw: &RawValue = serde_json::from_str(json).expect("JSON");
            assert_eq!(numeric(Some(raw)).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn the_last_of_two_equal_names_counts() {
        let fields = root(br#"{"request_id":"a","request_id":"b"}"#).expect("an object");
        assert_eq!(text(fields.request_id).as_deref(), Some("b"));
    }
}
