//! Idempotency keys and fingerprints.

use super::StorableText;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The longest key that is kept as text, in bytes. An index row over the limit of Postgres would
/// fail a whole batch.
const LONGEST_KEY: usize = 200;

/// Separates the key and the fingerprint of a conflict. Only the store makes such keys, so a source
/// must not.
const CONFLICT_MARK: &str = "#conflict:";

/// The text that makes two requests of one source the same event. It is readable, so that a person
/// can look it up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Keeps the text if it can be stored, is short enough and does not have the form of the
    /// store's conflict keys. Otherwise the key is the text's hash, `sha256:…`, which is also the
    /// same for the same text.
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

    /// The key of a body that names no identity: `body:{sha256}`.
    pub fn of_body(body: &[u8]) -> Self {
        Self(format!("body:{}", hex::encode(Sha256::digest(body))))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A summary of an event's content. Two requests with the same key and different fingerprints are a
/// conflict.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Keeps a text of at most 200 bytes that can be stored. Otherwise the fingerprint is the
    /// text's hash.
    pub fn new(text: &str) -> Self {
        let storable = StorableText::new(text, LONGEST_KEY);
        if storable.as_str() == text {
            Self(storable.into_string())
        } else {
            Self(format!("sha256:{}", hex::encode(Sha256::digest(text))))
        }
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a source identifies an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The idempotency key, unique within the source.
    pub key: IdempotencyKey,
    /// A second key, if the same event can be received in two ways.
    pub alias: Option<IdempotencyKey>,
    /// How long the keys are valid; `None` is forever.
    pub window: Option<Duration>,
    /// The fingerprint, or `None` if every repeated request is a duplicate.
    pub fingerprint: Option<Fingerprint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_text_if_possible_and_otherwise_a_hash() {
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
