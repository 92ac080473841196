//! The header `airalo-signature`: HMAC-SHA512 over the raw body, in hex.

use crate::signing::{Secret, hmac};
use crate::sources::Rejection;
use axum::http::HeaderMap;

/// The name of the header, in lower case.
pub const SIGNATURE_HEADER: &str = "airalo-signature";

/// Signs `body` as Airalo does: the header's name and value (128 characters of lower-case hex).
pub fn sign(secret: &Secret, body: &[u8]) -> (&'static str, String) {
    (SIGNATURE_HEADER, hmac::sha512_hex(secret, body))
}

/// Hex of either case is taken, and blanks around it. Two headers are malformed: which of them counts would be a guess.
pub(super) fn verify<'s>(headers: &HeaderMap, body: &[u8], secrets: &'s [Secret]) -> Result<&'s Secret, Rejection> {
    let mut values = headers.get_all(SIGNATURE_HEADER).iter();
    let value = values.next().ok_or(Rejection::MissingSignature)?;
    if values.next().is_some() {
        return Err(Rejection::MalformedSignature);
    }
    let mut mac = [0; hmac::SHA512_LENGTH];
    hex::decode_to_slice(value.as_bytes().trim_ascii(), &mut mac).map_err(|_| Rejection::MalformedSignature)?;
    hmac::sha512_signer(secrets, body, &mac).ok_or(Rejection::WrongSignature)
}
