//! HMAC over several parts with the hash that a sender uses, compared in constant time.

use super::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use std::str::FromStr;
use subtle::ConstantTimeEq;

/// The hash function of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256, of 32 bytes.
    Sha256,
    /// HMAC with SHA-512, of 64 bytes.
    Sha512,
    /// HMAC with SHA-1, of 20 bytes. No forgery of it is known, but SHA-1 itself is broken. Only
    /// for senders without a better algorithm.
    InsecureSha1,
}

/// The name does not belong to any algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an algorithm: use sha256, sha512 or, if the sender has nothing better, insecure_sha1"
)]
pub struct UnknownAlgorithm(String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(word: &str) -> Result<Self, UnknownAlgorithm> {
        match word {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            "insecure_sha1" => Ok(Self::InsecureSha1),
            _ => Err(UnknownAlgorithm(word.to_owned())),
        }
    }
}

impl Algorithm {
    /// Returns the length of the HMAC in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
            Self::InsecureSha1 => 20,
        }
    }

    /// Returns the HMAC of the concatenated `parts`.
    pub fn mac(self, secret: &Secret, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => mac::<Hmac<Sha256>>(secret, parts),
            Self::Sha512 => mac::<Hmac<Sha512>>(secret, parts),
            Self::InsecureSha1 => mac::<Hmac<Sha1>>(secret, parts),
        }
    }

    /// Returns the first of `secrets` that made any of `signatures` over `parts`.
    ///
    /// All secrets and all signatures are always tried, so that the time reveals only how many
    /// there are.
    pub fn signer<'s>(
        self,
        secrets: &'s [Secret],
        parts: &[&[u8]],
        signatures: &[impl AsRef<[u8]>],
    ) -> Option<&'s Secret> {
        let mut signer = None;
        for secret in secrets {
            let expected = self.mac(secret, parts);
            let made = signatures.iter().fold(0, |made, s| {
                made | expected[..].ct_eq(s.as_ref()).unwrap_u8()
            });
            if made == 1 {
                signer = signer.or(Some(secret));
            }
        }
        signer
    }
}

fn mac<M: Mac + KeyInit>(secret: &Secret, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac =
        <M as KeyInit>::new_from_slice(secret.bytes()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 and RFC 2202, test case 3 of each.
    #[test]
    fn the_published_vectors_hold_however_the_message_is_cut() {
        let secret = Secret::new("test", vec![0xaa; 20]).expect("long enough");
        for (algorithm, expected) in [
            (
                Algorithm::Sha256,
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                Algorithm::Sha512,
                "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807\
                 b946a337bee8942674278859e13292fb",
            ),
            (
                Algorithm::InsecureSha1,
                "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
            ),
        ] {
            for parts in [&[&[0xdd; 50][..]][..], &[&[0xdd; 49], &[], &[0xdd]]] {
                let mac = algorithm.mac(&secret, parts);
                assert_eq!(
                    (hex::encode(&mac).as_str(), mac.len()),
                    (expected, algorithm.length())
                );
            }
        }
    }

    /// RFC 4231, test cases 1 and 6 (a key longer than a block).
    #[test]
    fn the_published_vectors_of_sha512_hold_for_short_and_long_keys() {
        for (key, message, expected) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4\
                 be9d914eeb61f1702e696c203a126854",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e52\
                 95e64f73f63f0aec8b915a985d786598",
            ),
        ] {
            let secret = Secret::new("test", key.to_vec()).expect("long enough");
            assert_eq!(
                hex::encode(Algorithm::Sha512.mac(&secret, &[message])),
                expected
            );
        }
    }

    #[test]
    fn every_byte_of_a_signature_counts() {
        let secrets = [Secret::new("test", b"0123456789abcdef".to_vec()).expect("long enough")];
        for algorithm in [
            Algorithm::Sha256,
            Algorithm::Sha512,
            Algorithm::InsecureSha1,
        ] {
            let right = algorithm.mac(&secrets[0], &[b"body"]);
            assert!(algorithm.signer(&secrets, &[b"body"], &[&right]).is_some());
            assert!(algorithm.signer(&secrets, &[b"Body"], &[&right]).is_none());
            for at in 0..right.len() {
                let mut wrong = right.clone();
                wrong[at] ^= 1 << (at % 8);
                assert!(
                    algorithm.signer(&secrets, &[b"body"], &[wrong]).is_none(),
                    "{algorithm:?}, byte {at}"
                );
            }
        }
    }

    #[test]
    fn the_secret_that_signed_is_found_among_secrets_and_signatures() {
        let secrets =
            [b'a', b'b'].map(|b| Secret::new(char::from(b), vec![b; 16]).expect("long enough"));
        let stranger = Secret::new("stranger", vec![b'c'; 16]).expect("long enough");
        let by = |signer| Algorithm::Sha256.mac(signer, &[b"body"]);
        let found = |signatures: &[Vec<u8>]| {
            Algorithm::Sha256
                .signer(&secrets, &[b"body"], signatures)
                .map(Secret::label)
        };
        for signer in &secrets {
            assert_eq!(found(&[by(&stranger), by(signer)]), Some(signer.label()));
        }
        for none in [
            vec![],
            vec![by(&stranger)],
            vec![by(&secrets[0])[..31].to_vec()],
            vec![vec![]],
        ] {
            assert_eq!(found(&none), None);
        }
    }

    #[test]
    fn sha1_is_accepted_only_by_its_full_name() {
        assert_eq!("insecure_sha1".parse(), Ok(Algorithm::InsecureSha1));
        for word in ["sha1", "SHA256", "md5", ""] {
            assert!(word.parse::<Algorithm>().is_err(), "{word}");
        }
    }
}
