//! The Standard Webhooks scheme, version 1: HMAC-SHA256 over `{id}.{timestamp}.{body}`.
//!
//! Source:
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use super::{Algorithm, Secret};
use axum::http::{HeaderMap, HeaderName};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The header with the webhook's id, the same on every attempt.
pub const ID: &str = "webhook-id";
/// The header with the attempt's time, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

/// The largest difference between the attempt's time and the receiver's, in either direction.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

const PREFIX: &str = "whsec_";

/// A sender's names of the three headers: `webhook-id`, `webhook-timestamp` and
/// `webhook-signature`, or the same with another prefix, such as `svix-id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderNames {
    /// The header with the webhook's id.
    pub id: HeaderName,
    /// The header with the attempt's time.
    pub timestamp: HeaderName,
    /// The header with the signatures.
    pub signature: HeaderName,
}

impl Default for HeaderNames {
    fn default() -> Self {
        let [id, timestamp, signature] = [ID, TIMESTAMP, SIGNATURE].map(HeaderName::from_static);
        Self {
            id,
            timestamp,
            signature,
        }
    }
}

/// The text cannot be the prefix of a header's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a header prefix: write it without the hyphen, such as \"svix\" for svix-id, svix-timestamp and svix-signature"
)]
pub struct InvalidHeaderPrefix(String);

impl FromStr for HeaderNames {
    type Err = InvalidHeaderPrefix;

    fn from_str(prefix: &str) -> Result<Self, InvalidHeaderPrefix> {
        let invalid = || InvalidHeaderPrefix(prefix.chars().take(80).collect());
        if prefix.is_empty() || prefix.ends_with('-') {
            return Err(invalid());
        }
        let name = |end: &str| format!("{prefix}-{end}").parse().map_err(|_| invalid());
        Ok(Self {
            id: name("id")?,
            timestamp: name("timestamp")?,
            signature: name("signature")?,
        })
    }
}

/// The text is not a Standard Webhooks secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret {label} {problem}; write whsec_ and then 24 to 64 bytes in base64")]
pub struct InvalidSecret {
    label: String,
    problem: &'static str,
}

/// Why a request was not verified. The sender does not receive the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unverified {
    /// One of the three headers is missing.
    #[error("the header with the id, the timestamp or the signature is missing")]
    Missing,
    /// One of the three headers is malformed.
    #[error("the header with the id, the timestamp or the signature is malformed")]
    Malformed,
    /// All signatures are of version `v1a`, which is asymmetric, so no secret can verify them.
    #[error(
        "every signature is of the asymmetric version v1a, which is not supported; have the sender sign with v1"
    )]
    Unsupported,
    /// The request was signed too long ago or in the future. It is a replay, or a clock is wrong.
    #[error("the timestamp is too far from now")]
    Stale,
    /// No current secret made any of the signatures.
    #[error("the signature does not match")]
    Wrong,
}

/// Reads a secret: `whsec_` and the base64 of 24 to 64 bytes.
///
/// # Errors
/// [`InvalidSecret`], whose message holds the label but not the text.
pub fn parse_secret(label: &str, text: &str) -> Result<Secret, InvalidSecret> {
    let invalid = |problem| InvalidSecret {
        label: label.to_owned(),
        problem,
    };
    let encoded = text
        .strip_prefix(PREFIX)
        .ok_or_else(|| invalid("does not begin with whsec_"))?;
    let key = STANDARD
        .decode(encoded)
        .map_err(|_| invalid("is not base64 after whsec_"))?;
    if !(24..=64).contains(&key.len()) {
        return Err(invalid("does not have 24 to 64 bytes"));
    }
    Secret::new(label, key).map_err(|_| invalid("is too short"))
}

/// Converts 32 bytes of a random generator to the text that [`parse_secret`] reads.
pub fn secret_text(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(random))
}

/// Signs with every secret and returns the value of the `webhook-signature` header. There are
/// several secrets while one is being replaced.
pub fn sign(secrets: &[Secret], id: &str, timestamp: u64, body: &[u8]) -> String {
    let timestamp = timestamp.to_string();
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let mac = Algorithm::Sha256.mac(
                secret,
                &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body],
            );
            format!("v1,{}", STANDARD.encode(mac))
        })
        .collect();
    signatures.join(" ")
}

/// Verifies that one of `secrets` made one of the signatures over this body, at most [`TOLERANCE`]
/// from `now`. Returns that secret.
///
/// # Errors
/// [`Unverified`].
pub fn verify<'s>(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &'s [Secret],
    now: SystemTime,
) -> Result<&'s Secret, Unverified> {
    verify_within(
        &HeaderNames::default(),
        TOLERANCE,
        headers,
        body,
        secrets,
        now,
    )
}

/// The same as [`verify`], with other header names and another tolerance.
///
/// # Errors
/// [`Unverified`].
pub fn verify_within<'s>(
    names: &HeaderNames,
    tolerance: Duration,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &'s [Secret],
    now: SystemTime,
) -> Result<&'s Secret, Unverified> {
    let id = only(headers, &names.id)?;
    let (timestamp, signatures) = (
        only(headers, &names.timestamp)?,
        only(headers, &names.signature)?,
    );
    // With a full stop in the id, one signature would be valid for another id, time and body.
    if id.is_empty() || id.contains(&b'.') {
        return Err(Unverified::Malformed);
    }
    let signed_at = UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds(timestamp)?))
        .ok_or(Unverified::Malformed)?;
    let each = || signatures.split(|b| *b == b' ');
    let signatures: Vec<[u8; 32]> = each().filter_map(decode).collect();
    if signatures.is_empty() {
        let asymmetric = each().any(|signature| signature.starts_with(b"v1a,"));
        let other = each().any(|signature| signature.starts_with(b"v1,"));
        return Err(if asymmetric && !other {
            Unverified::Unsupported
        } else {
            Unverified::Malformed
        });
    }
    let apart = now
        .duration_since(signed_at)
        .unwrap_or_else(|ahead| ahead.duration());
    if apart > tolerance {
        return Err(Unverified::Stale);
    }
    let signed = [id, b".", timestamp, b".", body];
    Algorithm::Sha256
        .signer(secrets, &signed, &signatures)
        .ok_or(Unverified::Wrong)
}

/// The value of the header with this name. It must be there only once, because choosing one of two
/// would be a guess.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], Unverified> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Unverified::Missing)?;
    if values.next().is_some() {
        Err(Unverified::Malformed)
    } else {
        Ok(value.as_bytes())
    }
}

/// Accepts digits only: `parse` would also accept a leading `+`, which no sender writes.
fn seconds(text: &[u8]) -> Result<u64, Unverified> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|_| digits)
        .ok_or(Unverified::Malformed)?;
    text.parse().map_err(|_| Unverified::Malformed)
}

/// Decodes one `v1,…`. Other versions, such as the asymmetric `v1a`, are for other receivers.
fn decode(signature: &[u8]) -> Option<[u8; 32]> {
    STANDARD
        .decode(signature.strip_prefix(b"v1,")?)
        .ok()?
        .try_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example in the tests of the scheme's own libraries.
    const PUBLISHED: (&str, &str, u64, &[u8], &str) = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        br#"{"test": 2432232314}"#,
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    );

    /// Made without this code:
    /// `printf '0197f2a0-0000-7000-8000-000000000001.1764000000.\x00\xff\n' |
    /// openssl dgst -sha256 -binary -mac hmac -macopt hexkey:000102…1e1f | base64`
    const OPENSSL: (&str, &str, u64, &[u8], &str) = (
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "0197f2a0-0000-7000-8000-000000000001",
        1_764_000_000,
        b"\x00\xff\n",
        "v1,F7xTYa0tnat3ntKnCanxx+lPzFTwFdUT6q/3id3RUUw=",
    );

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(ID, id), (TIMESTAMP, timestamp), (SIGNATURE, signature)] {
            headers.insert(name, value.parse().expect("a header value"));
        }
        headers
    }

    fn secret(label: &str, byte: u8) -> Secret {
        parse_secret(label, &secret_text([byte; 32])).expect("a secret")
    }

    #[test]
    fn the_published_example_and_an_independent_one() {
        for (text, id, timestamp, body, signature) in [PUBLISHED, OPENSSL] {
            let secrets = [parse_secret("test", text).expect("a secret")];
            assert_eq!(sign(&secrets, id, timestamp, body), signature);
            let headers = headers(id, &timestamp.to_string(), signature);
            assert!(verify(&headers, body, &secrets, at(timestamp)).is_ok());
        }
    }

    #[test]
    fn a_secret_of_another_form_is_refused_without_printing_it() {
        for bad in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_ not base64 at all, but long",
            "whsk_AAAA",
        ] {
            let error = parse_secret("env:HOOK", bad).expect_err(bad).to_string();
            assert!(
                error.contains("env:HOOK") && !error.contains("MfKQ"),
                "{error}"
            );
        }
        for (bytes, good) in [(23, false), (24, true), (64, true), (65, false)] {
            let text = format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
            assert_eq!(parse_secret("x", &text).is_ok(), good, "{bytes} bytes");
        }
    }

    #[test]
    fn another_word_before_the_hyphen_names_all_three_headers() {
        let names: HeaderNames = "Svix".parse().expect("a prefix");
        assert_eq!(
            [names.id, names.timestamp, names.signature],
            ["svix-id", "svix-timestamp", "svix-signature"]
        );
        assert_eq!("webhook".parse(), Ok(HeaderNames::default()));
        for wrong in ["", "svix-", "a b", "svix\r\n", "é"] {
            assert!(wrong.parse::<HeaderNames>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_timestamp_is_valid_for_five_minutes_in_both_directions() {
        let (secrets, now) = ([secret("a", 1)], 1_764_000_000);
        for (signed_at, verdict) in [
            (now - 300, None),
            (now + 300, None),
            (now - 301, Some(())),
            (now + 301, Some(())),
        ] {
            let headers = headers(
                "m",
                &signed_at.to_string(),
                &sign(&secrets, "m", signed_at, b"b"),
            );
            let result = verify(&headers, b"b", &secrets, at(now));
            assert_eq!(
                result.err(),
                verdict.map(|()| Unverified::Stale),
                "{signed_at}"
            );
        }
    }

    #[test]
    fn either_side_may_switch_first_to_a_new_secret() {
        let (old, new, other) = (secret("old", 1), secret("new", 2), secret("other", 3));
        let both = sign(&[old.clone(), new.clone()], "m", 1000, b"b");
        for (live, label) in [
            (vec![old.clone()], "old"),
            (vec![other.clone(), new], "new"),
        ] {
            let by = verify(&headers("m", "1000", &both), b"b", &live, at(1000)).expect("verified");
            assert_eq!(by.label(), label);
        }
        let with_others = format!("v1a,AAAA v2,x {both}");
        assert!(verify(&headers("m", "1000", &with_others), b"b", &[old], at(1000)).is_ok());
        assert_eq!(
            verify(&headers("m", "1000", &both), b"b", &[other], at(1000)).err(),
            Some(Unverified::Wrong)
        );
        assert_eq!(
            verify(&headers("m", "1000", &both), b"b", &[], at(1000)).err(),
            Some(Unverified::Wrong)
        );
    }

    #[test]
    fn an_impossible_signature_is_malformed() {
        let secrets = [secret("a", 1)];
        let good = sign(&secrets, "m", 1000, b"b");
        for (id, timestamp, signature) in [
            ("m.1", "1000", good.as_str()),
            ("", "1000", good.as_str()),
            ("m", "", good.as_str()),
            ("m", "+1000", good.as_str()),
            ("m", "1000.0", good.as_str()),
            ("m", "99999999999999999999999", good.as_str()),
            ("m", "18446744073709551615", good.as_str()),
            ("m", "1000", ""),
            ("m", "1000", "v1,"),
            ("m", "1000", "v1,AAAA"),
            ("m", "1000", &good[3..]),
        ] {
            let result = verify(&headers(id, timestamp, signature), b"b", &secrets, at(1000));
            assert_eq!(
                result.err(),
                Some(Unverified::Malformed),
                "{id} {timestamp} {signature}"
            );
        }
        for asymmetric in ["v1a,AAAA", "v1a,AAAA v1a,BBBB v2,x"] {
            let result = verify(&headers("m", "1000", asymmetric), b"b", &secrets, at(1000));
            assert_eq!(result.err(), Some(Unverified::Unsupported), "{asymmetric}");
        }
        for twice in [ID, TIMESTAMP, SIGNATURE] {
            let mut headers = headers("m", "1000", &good);
            headers.append(twice, headers[twice].clone());
            assert_eq!(
                verify(&headers, b"b", &secrets, at(1000)).err(),
                Some(Unverified::Malformed),
                "{twice}"
            );
        }
        for missing in [ID, TIMESTAMP, SIGNATURE] {
            let mut headers = headers("m", "1000", &good);
            headers.remove(missing);
            assert_eq!(
                verify(&headers, b"b", &secrets, at(1000)).err(),
                Some(Unverified::Missing),
                "{missing}"
            );
        }
    }

    proptest! {
        #[test]
        fn only_signed_requests_verify(
            key: [u8; 32], id in "[a-z0-9-]{1,40}", time in 0u64..1 << 40, body: Vec<u8>, flip in 0usize..1000,
        ) {
            let secrets = [parse_secret("x", &secret_text(key)).expect("a secret")];
            let signature = sign(&secrets, &id, time, &body);
            let headers = headers(&id, &time.to_string(), &signature);
            prop_assert!(verify(&headers, &body, &secrets, at(time)).is_ok());
            let mut other = body;
            if other.is_empty() { other.push(0) } else { let at = flip % other.len(); other[at] ^= 1 }
            prop_assert_eq!(verify(&headers, &other, &secrets, at(time)).err(), Some(Unverified::Wrong));
        }

        #[test]
        fn garbage_in_the_headers_is_a_failure_and_no_panic(values in prop::collection::vec(prop::collection::vec(32u8..=255, 0..80), 3)) {
            let mut headers = HeaderMap::new();
            for (name, value) in [ID, TIMESTAMP, SIGNATURE].into_iter().zip(values) {
                if let Ok(value) = axum::http::HeaderValue::from_bytes(&value) { headers.insert(name, value); }
            }
            prop_assert!(verify(&headers, b"", &[secret("a", 1)], at(1000)).is_err());
        }
    }
}
