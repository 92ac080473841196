//! A signing key that cannot be printed.

use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq as _;

/// The shortest secret that is accepted, in bytes. With an empty one anybody could sign.
const SHORTEST: usize = 16;

/// A signing key with a label that names its origin, such as `env:AIRALO_CLIENT_SECRET`.
#[derive(Clone)]
pub struct Secret {
    label: String,
    bytes: SecretSlice<u8>,
}

/// The secret is empty or too short.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret {label} has {length} bytes; a signing secret needs at least {SHORTEST}")]
pub struct WeakSecret {
    label: String,
    length: usize,
}

impl Secret {
    /// Makes a secret from a key of at least 16 bytes.
    ///
    /// # Errors
    /// [`WeakSecret`] if the key is shorter.
    pub fn new(label: impl Into<String>, bytes: Vec<u8>) -> Result<Self, WeakSecret> {
        let label = label.into();
        if bytes.len() < SHORTEST {
            return Err(WeakSecret {
                label,
                length: bytes.len(),
            });
        }
        Ok(Self {
            label,
            bytes: bytes.into(),
        })
    }

    /// The label in logs and in `events.verified_by`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether a text is the secret, in a time that says nothing about how much of it is.
    pub fn is(&self, text: &[u8]) -> bool {
        // Digests have one length, so that the time does not tell the secret's either.
        let (own, other) = (Sha256::digest(self.bytes()), Sha256::digest(text));
        own[..].ct_eq(&other[..]).into()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.label)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_short_secret_is_refused_and_none_is_printed() {
        assert!(Secret::new("env:X", vec![]).is_err());
        assert!(Secret::new("env:X", vec![b'a'; 15]).is_err());
        let secret = Secret::new("env:X", b"0123456789abcdef".to_vec()).expect("16 bytes");
        assert_eq!(format!("{secret:?}"), "Secret(env:X)");
        assert!(secret.is(b"0123456789abcdef"));
        for other in [
            "",
            "0123456789abcdeF",
            "0123456789abcde",
            "0123456789abcdef ",
        ] {
            assert!(!secret.is(other.as_bytes()), "{other}");
        }
    }
}
