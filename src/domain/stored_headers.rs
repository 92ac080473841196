//! Headers of a request as an event stores them.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

/// The values of one stored header as their original bytes. Stored values are text, or `base64:…`
/// if the value was not text, and a list if there were several.
pub(crate) fn header_values(stored: &Value) -> Vec<Vec<u8>> {
    let values = match stored {
        Value::Array(values) => values.as_slice(),
        single => std::slice::from_ref(single),
    };
    let bytes = |text: &str| match text.strip_prefix("base64:") {
        // A value that only begins like base64 was text.
        Some(encoded) => BASE64_STANDARD
            .decode(encoded)
            .unwrap_or_else(|_| text.into()),
        None => text.into(),
    };
    values.iter().filter_map(Value::as_str).map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::header_values;
    use serde_json::json;

    #[test]
    fn a_stored_value_is_unchanged() {
        for (stored, expected) in [
            (json!("a"), vec![b"a".to_vec()]),
            (json!(["a", "b"]), vec![b"a".to_vec(), b"b".to_vec()]),
            (json!("base64:/yI="), vec![b"\xff\"".to_vec()]),
            (json!("base64:!"), vec![b"base64:!".to_vec()]),
            (json!(null), vec![]),
            (json!([7, {}]), vec![]),
        ] {
            assert_eq!(header_values(&stored), expected, "{stored}");
        }
    }
}
