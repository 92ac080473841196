//! The header `airalo-signature`: HMAC-SHA512 over the raw body, in hex.

use crate::signing::{Algorithm, Secret};
use crate::sources::Rejection;
use axum::http::HeaderMap;

/// The name of the header, in lower case.
pub const SIGNATURE_HEADER: &str = "airalo-signature";

/// Signs `body` as Airalo does. Returns the header's name and value (128 characters of lower-case
/// hex).
pub fn sign(secret: &Secret, body: &[u8]) -> (&'static str, String) {
    (
        SIGNATURE_HEADER,
        hex::encode(Algorithm::Sha512.mac(secret, &[body])),
    )
}

/// Accepts hex in either case, also with spaces around it. Two headers are malformed, because
/// choosing one would be a guess.
pub(super) fn verify<'s>(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &'s [Secret],
) -> Result<&'s Secret, Rejection> {
    let mut values = headers.get_all(SIGNATURE_HEADER).iter();
    let value = values.next().ok_or(Rejection::MissingSignature)?;
    if values.next().is_some() {
        return Err(Rejection::MalformedSignature);
    }
    let mac = hex::decode(value.as_bytes().trim_ascii())
        .ok()
        .filter(|mac| mac.len() == Algorithm::Sha512.length());
    let mac = mac.ok_or(Rejection::MalformedSignature)?;
    Algorithm::Sha512
        .signer(secrets, &[body], &[mac])
        .ok_or(Rejection::WrongSignature)
}
