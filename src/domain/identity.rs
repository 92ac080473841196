//! What makes two requests the same event.

use super::StorableText;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The longest key that is kept as text, in bytes; an index row past its limit would fail a whole batch.
const LONGEST_KEY: usize = 200;

/// What separates a key from a conflict's fingerprint. The store makes such keys; a source may not.
const CONFLICT_MARK: &str = "#conflict:";

/// What makes two requests of one source the same event: readable text, so that a person can look it up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Takes the text as it is where it is storable, short enough and not of the form the store keeps for
    /// conflicts; otherwise its hash, `sha256:…`, which is still the same for the same text.
    pub fn new(text: &str) -> Self {
        let usable = !text.is_empty()
            && text.len() <= LONGEST_KEY
            && !text.contains('\0')
            && !text.contains(CONFLICT_MARK);
        if usable {
            Self(text.to_owned())
        } else {
            Self(format!("sha256:{}", hex::encode(Sha256::digest(text))))
        }
    }

    /// The key of a body that says nothing of its identity: `body:{sha256}`.
    pub fn of_body(body: &[u8]) -> Self {
        Self(format!("body:{}", hex::encode(Sha256::digest(body))))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the content of an event comes down to. Two requests with one key and two fingerprints are a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Readable text, at most 200 bytes, or its hash.
    pub fn new(text: &str) -> Self {
        let storable = StorableText::new(text, LONGEST_KEY);
        if storable.as_str() == text {
            Self(storable.into_string())
        } else {
            Self(format!("sha256:{}", hex::encode(Sha256::digest(text))))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A source's answer to "which event is this?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The idempotency key, unique within the source.
    pub key: IdempotencyKey,
    /// A second key that the same event may be known by, where it can come in two ways.
    pub alias: Option<IdempotencyKey>,
    /// How long the keys hold; `None` is for ever.
    pub window: Option<Duration>,
    /// What the content comes down to; `None` where a repeat is always a duplicate.
    pub fingerprint: Option<Fingerprint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_text_where_it_can_be_and_a_hash_where_it_cannot() {
        assert_eq!(
            IdempotencyKey::new("order:a:completed").as_str(),
            "order:a:completed"
        );
        for hashed in ["", "a\0b", "a#conflict:b", &"k".repeat(201)] {
            let key = IdempotencyKey::new(hashed);
            assert_eq!(
                (key.as_str().len(), &key.as_str()[..7]),
                (71, "sha256:"),
                "{hashed:?}"
            );
        }
        assert_eq!(IdempotencyKey::new(&"k".repeat(200)).as_str().len(), 200);
    }
}
