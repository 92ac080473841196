//! A signing key that cannot be printed.

use secrecy::{ExposeSecret, SecretSlice};
use std::fmt;

/// The shortest secret that is taken, in bytes: an empty one would let anybody sign.
const SHORTEST: usize = 16;

/// A signing key with the label it goes by (where it came from, as `env:AIRALO_CLIENT_SECRET`).
#[derive(Clone)]
pub struct Secret {
    label: String,
    bytes: SecretSlice<u8>,
}

/// A secret that is missing, empty or too short to be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret {label} has {length} bytes; a signing secret needs at least {SHORTEST}")]
pub struct WeakSecret {
    label: String,
    length: usize,
}

impl Secret {
    /// Takes a key of at least 16 bytes.
    ///
    /// # Errors
    /// [`WeakSecret`] for a shorter one.
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

    /// What it is called in logs and in `events.verified_by`.
    pub fn label(&self) -> &str {
        &self.label
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
    }
}
