//! HMAC-SHA512 over bytes: made as hex, compared in constant time.

use super::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

/// The length of an HMAC-SHA512, in bytes.
pub const SHA512_LENGTH: usize = 64;

/// The HMAC-SHA512 of `body`, as 128 characters of lower-case hex.
pub fn sha512_hex(secret: &Secret, body: &[u8]) -> String {
    hex::encode(sha512(secret, body).finalize().into_bytes())
}

/// Whether `mac` is the HMAC-SHA512 of `body`, in constant time.
pub fn sha512_matches(secret: &Secret, body: &[u8], mac: &[u8; SHA512_LENGTH]) -> bool {
    sha512(secret, body).verify_slice(mac).is_ok()
}

/// The first of `secrets` that made `mac` over `body`.
///
/// All of them are always tried, so that the time taken tells their number and no more.
pub fn sha512_signer<'s>(secrets: &'s [Secret], body: &[u8], mac: &[u8; SHA512_LENGTH]) -> Option<&'s Secret> {
    let mut signer = None;
    for secret in secrets {
        if sha512_matches(secret, body, mac) {
            signer = signer.or(Some(secret));
        }
    }
    signer
}

fn sha512(secret: &Secret, body: &[u8]) -> Hmac<Sha512> {
    let mut hmac = Hmac::<Sha512>::new_from_slice(secret.bytes()).expect("HMAC takes a key of any length");
    hmac.update(body);
    hmac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(label: &str, bytes: &[u8]) -> Secret {
        Secret::new(label, bytes.to_vec()).expect("long enough")
    }

    fn decoded(hex: &str) -> [u8; SHA512_LENGTH] {
        let mut mac = [0; SHA512_LENGTH];
        hex::decode_to_slice(hex, &mut mac).expect("64 bytes of hex");
        mac
    }

    /// RFC 4231, test cases 1, 3 and 6 (a key longer than a block).
    #[test]
    fn the_published_vectors_hold() {
        let vectors: [(&[u8], &[u8], &str); 3] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4\
                 be9d914eeb61f1702e696c203a126854",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807\
                 b946a337bee8942674278859e13292fb",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e52\
                 95e64f73f63f0aec8b915a985d786598",
            ),
        ];
        for (key, body, expected) in vectors {
            let secret = secret("test", key);
            assert_eq!(sha512_hex(&secret, body), expected);
            assert!(sha512_matches(&secret, body, &decoded(expected)));
        }
    }

    #[test]
    fn the_secret_that_signed_is_named_and_no_other() {
        let secrets = [secret("old", b"0123456789abcdef"), secret("new", b"fedcba9876543210")];
        for signer in &secrets {
            let mac = decoded(&sha512_hex(signer, b"body"));
            assert_eq!(sha512_signer(&secrets, b"body", &mac).map(Secret::label), Some(signer.label()));
            assert!(sha512_signer(&secrets, b"Body", &mac).is_none());
            assert!(sha512_signer(&[], b"body", &mac).is_none());
        }
    }

    #[test]
    fn every_byte_of_the_mac_counts() {
        let secret = secret("test", b"0123456789abcdef");
        let right = decoded(&sha512_hex(&secret, b"body"));
        for at in 0..SHA512_LENGTH {
            let mut wrong = right;
            wrong[at] ^= 1 << (at % 8);
            assert!(!sha512_matches(&secret, b"body", &wrong), "byte {at}");
        }
    }
}
