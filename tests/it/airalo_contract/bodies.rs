//! Fixtures, signed requests and other spellings of a body.

use axum::http::{HeaderMap, HeaderValue};
use hookfast::internals::signing::Secret;
use hookfast::sources::airalo::{Airalo, SIGNATURE_HEADER, sign};
use hookfast::sources::{Description, Rejection, SourceKind, Verified, VerifiedRequest};
use std::time::{Duration, SystemTime};
use std::{fs, path::PathBuf};

/// How long a repetition counts as a retry.
pub(super) const SIX_HOURS: Duration = Duration::from_secs(6 * 3600);

/// The label of the fixtures' secret.
pub(super) const SECRET: &str = "env:AIRALO_CLIENT_SECRET";

/// Order ids and ICCIDs of an order that was run repeatedly, as observed once.
pub(super) const REDELIVERY: [(u64, &str); 4] = [
    (115_740, "8900000000000000101"),
    (115_741, "8900000000000000102"),
    (115_746, "8900000000000000103"),
    (115_748, "8900000000000000104"),
];

/// A published signature.
#[derive(serde::Deserialize)]
pub(super) struct Vector {
    pub(super) file: String,
    pub(super) bytes: usize,
    pub(super) expected: String,
}

#[derive(serde::Deserialize)]
struct Vectors {
    key_utf8: String,
    vectors: Vec<Vector>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/airalo")
}

fn published() -> Vectors {
    serde_json::from_slice(&fixture("signature-vectors.json")).expect("the vectors are JSON")
}

/// The exact bytes of a file.
pub(super) fn fixture(file: &str) -> Vec<u8> {
    fs::read(folder().join(file)).expect(file)
}

/// The names of all bodies.
pub(super) fn raw_fixtures() -> Vec<String> {
    let entries = fs::read_dir(folder().join("webhook")).expect("the folder");
    entries
        .map(|e| {
            format!(
                "webhook/{}",
                e.expect("an entry").file_name().to_string_lossy()
            )
        })
        .collect()
}

/// All published signatures.
pub(super) fn vectors() -> Vec<Vector> {
    published().vectors
}

/// The secret that the signatures were made with.
pub(super) fn secret() -> Secret {
    Secret::new(SECRET, published().key_utf8.into_bytes()).expect("long enough")
}

/// A body as a tree.
pub(super) fn value(body: &[u8]) -> serde_json::Value {
    serde_json::from_slice(body).expect("JSON")
}

/// Headers with these signatures.
pub(super) fn headers(signatures: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for signature in signatures {
        headers.append(SIGNATURE_HEADER, signature.parse().expect("a header value"));
    }
    headers
}

/// Headers with one signature of any bytes a header may have.
pub(super) fn raw_header(signature: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append(
        SIGNATURE_HEADER,
        HeaderValue::from_bytes(signature).expect("a header value"),
    );
    headers
}

/// Headers with the correct signature.
pub(super) fn signed(body: &[u8]) -> HeaderMap {
    headers(&[&sign(&secret(), body).1])
}

/// The whole processing of a request, with the fixtures' secret live.
pub(super) fn verify(headers: &HeaderMap, body: &[u8]) -> Result<VerifiedRequest, Rejection> {
    let body = body.to_vec().into();
    match VerifiedRequest::verify(
        &Airalo,
        &[secret()],
        SystemTime::UNIX_EPOCH,
        None,
        headers,
        &body,
    )? {
        Verified::Event(request) => Ok(request),
        Verified::Handshake(handshake) => panic!("Airalo has no handshakes: {handshake:?}"),
    }
}

/// The description of a verified body.
pub(super) fn describe(body: &[u8]) -> Description {
    Airalo.describe(None, &HeaderMap::new(), body)
}

/// The same JSON in another spelling if `choice` selects it: blanks between tokens, characters of
/// strings as `\uXXXX`, `\/` as `/`.
pub(super) fn respelled(json: &str, choice: &mut dyn FnMut() -> bool) -> String {
    let mut out = String::new();
    let mut chars = json.chars();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        let chosen = choice();
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' => match chars.next().expect("an escape has a letter") {
                '/' if chosen => out.push('/'),
                'u' => out.extend(['\\', 'u'].into_iter().chain(chars.by_ref().take(4))),
                letter => out.extend(['\\', letter]),
            },
            _ if in_string && chosen => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            '{' | '[' | ',' | ':' if chosen && !in_string => out.extend([c, '\n', ' ']),
            '}' | ']' if chosen && !in_string => out.extend(['\r', '\t', c]),
            _ => out.push(c),
        }
    }
    out
}
