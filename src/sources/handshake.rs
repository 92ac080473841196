//! Handshakes: requests by which a sender checks the address. They are verified and answered, but
//! never stored.

use crate::domain::Pointer;
use std::str::FromStr;

/// The plain-text body of the 200 response to a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    text: String,
}

impl Handshake {
    /// Makes a response with this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The body of the response.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The handshakes that a source in the configuration file can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeKind {
    /// Slack's handshake: `{"type":"url_verification","challenge":"…"}` is answered with the
    /// challenge.
    SlackUrlVerification,
}

/// The name does not belong to any handshake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a handshake: use slack_url_verification, or leave it out")]
pub struct UnknownHandshake(String);

impl FromStr for HandshakeKind {
    type Err = UnknownHandshake;

    fn from_str(word: &str) -> Result<Self, UnknownHandshake> {
        match word {
            "slack_url_verification" => Ok(Self::SlackUrlVerification),
            _ => Err(UnknownHandshake(word.to_owned())),
        }
    }
}

impl HandshakeKind {
    /// The response, if a verified body is a handshake. Any other body is an event.
    pub(super) fn answer(self, body: &[u8]) -> Option<Handshake> {
        match self {
            Self::SlackUrlVerification => {
                let is_one = Pointer::member("type").text(body)? == "url_verification";
                if is_one {
                    Pointer::member("challenge").text(body).map(Handshake::text)
                } else {
                    None
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slacks_challenge_is_a_handshake() {
        let answer = |body: &str| HandshakeKind::SlackUrlVerification.answer(body.as_bytes());
        let challenge = r#"{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#;
        assert_eq!(
            answer(challenge),
            Some(Handshake::text(
                "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
            ))
        );
        for other in [
            r#"{"type":"event_callback","challenge":"x"}"#,
            r#"{"type":"url_verification"}"#,
            r#"{"type":"url_verification","challenge":5}"#,
            r#"{"type":"url_verification","challenge":""}"#,
            r#"{"event":{"type":"url_verification"},"challenge":"x"}"#,
            r#"["url_verification"]"#,
            "",
        ] {
            assert_eq!(answer(other), None, "{other}");
        }
    }
}
