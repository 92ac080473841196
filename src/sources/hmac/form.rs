//! The form of a signature in its header.

use crate::sources::Rejection;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::str::FromStr;

/// The encoding of a signature's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Hexadecimal digits, with letters all in lower case or all in upper case.
    Hex,
    /// Base64 with the usual alphabet and padding.
    Base64,
}

/// The name does not belong to any encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an encoding: use hex or base64")]
pub struct UnknownEncoding(String);

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(word: &str) -> Result<Self, UnknownEncoding> {
        match word {
            "hex" => Ok(Self::Hex),
            "base64" => Ok(Self::Base64),
            _ => Err(UnknownEncoding(word.to_owned())),
        }
    }
}

impl Encoding {
    /// Decodes the bytes. Only one way of writing them is accepted.
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => {
                let has = |case: fn(&u8) -> bool| text.as_bytes().iter().any(case);
                let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
                if mixed { None } else { hex::decode(text).ok() }
            }
            Self::Base64 => STANDARD.decode(text).ok(),
        }
    }

    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
        }
    }
}

/// The form of the signature's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// One signature after a fixed text, which may be empty: `sha256=…`, `v0=…`.
    Single {
        /// The text before the signature.
        prefix: String,
    },
    /// Named members, of which several may be signatures: `t=…,v1=…,v1=…`.
    List(ListForm),
}

/// The names of a list's members. Only [`ListForm::new`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListForm {
    signature: String,
    timestamp: Option<String>,
    separator: char,
}

/// Names or a separator by which a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidList {
    /// A name is empty, or has characters that may separate it from the rest.
    #[error("'{0}' is not the name of a member: one or more of a-z, A-Z, 0-9, '_' and '-'")]
    Name(String),
    /// The signature and the timestamp have the same name.
    #[error("the signature and the timestamp cannot both be the member '{0}'")]
    Same(String),
    /// The separator can be part of a name, a number or a signature.
    #[error("'{0}' cannot separate members: use one of ',', ';', '&', '|' and the space")]
    Separator(char),
}

impl ListForm {
    /// Makes a list whose members are separated by `separator`, usually `,`.
    ///
    /// # Errors
    /// [`InvalidList`] if such a list cannot be read.
    pub fn new(
        signature: &str,
        timestamp: Option<&str>,
        separator: char,
    ) -> Result<Self, InvalidList> {
        for name in [Some(signature), timestamp].into_iter().flatten() {
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            {
                return Err(InvalidList::Name(name.to_owned()));
            }
        }
        if timestamp == Some(signature) {
            return Err(InvalidList::Same(signature.to_owned()));
        }
        if !",;&| ".contains(separator) {
            return Err(InvalidList::Separator(separator));
        }
        Ok(Self {
            signature: signature.to_owned(),
            timestamp: timestamp.map(str::to_owned),
            separator,
        })
    }
}

/// The content of a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read<'h> {
    /// The signatures of the right length. There is at least one.
    pub(super) signatures: Vec<Vec<u8>>,
    /// The time as written, if it is a member of the list.
    pub(super) timestamp: Option<&'h str>,
}

impl Form {
    /// Whether the time is in the same header.
    pub(super) fn has_timestamp(&self) -> bool {
        matches!(
            self,
            Self::List(ListForm {
                timestamp: Some(_),
                ..
            })
        )
    }

    /// Writes the header value that [`Form::read`] reads.
    pub(super) fn write(&self, signature: &[u8], timestamp: &str, encoding: Encoding) -> String {
        let signature = encoding.encode(signature);
        match self {
            Self::Single { prefix } => format!("{prefix}{signature}"),
            Self::List(list) => {
                let member = format!("{}={signature}", list.signature);
                match &list.timestamp {
                    Some(name) => format!("{name}={timestamp}{}{member}", list.separator),
                    None => member,
                }
            }
        }
    }

    /// Reads a header's value; `length` is the length of a signature in bytes.
    pub(super) fn read<'h>(
        &self,
        value: &'h str,
        encoding: Encoding,
        length: usize,
    ) -> Result<Read<'h>, Rejection> {
        let decode = |text: &str| encoding.decode(text).filter(|bytes| bytes.len() == length);
        let read = match self {
            Self::Single { prefix } => {
                let signature = value.trim().strip_prefix(prefix.as_str()).and_then(decode);
                Read {
                    signatures: signature.into_iter().collect(),
                    timestamp: None,
                }
            }
            Self::List(list) => {
                let members = || {
                    value
                        .split(list.separator)
                        .filter_map(|member| member.trim().split_once('='))
                };
                let named = |name| {
                    members()
                        .filter(move |(n, _)| *n == name)
                        .map(|(_, value)| value)
                };
                let timestamp = match &list.timestamp {
                    Some(name) => {
                        let (mut times, many) =
                            (named(name.as_str()), Rejection::MalformedSignature);
                        let time = times.next().ok_or(many)?;
                        if times.next().is_some() {
                            return Err(many);
                        } else {
                            Some(time)
                        }
                    }
                    None => None,
                };
                Read {
                    signatures: named(list.signature.as_str()).filter_map(decode).collect(),
                    timestamp,
                }
            }
        };
        if read.signatures.is_empty() {
            Err(Rejection::MalformedSignature)
        } else {
            Ok(read)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(separator: char) -> Form {
        Form::List(ListForm::new("v1", Some("t"), separator).expect("good names"))
    }

    #[test]
    fn a_signature_follows_its_prefix() {
        let form = |prefix: &str| Form::Single {
            prefix: prefix.to_owned(),
        };
        let read = |prefix: &str, value| {
            form(prefix)
                .read(value, Encoding::Hex, 2)
                .map(|read| read.signatures)
        };
        for (prefix, value) in [
            ("", "0aff"),
            ("", "0AFF"),
            ("v0=", "v0=0aff"),
            ("HMAC ", "HMAC 0aff"),
            ("", " 0aff "),
        ] {
            assert_eq!(read(prefix, value), Ok(vec![vec![10, 255]]), "{value}");
        }
        for (prefix, value) in [
            ("", ""),
            ("", "0a"),
            ("", "0aff00"),
            ("", "0aFF"),
            ("", "v0=0aff"),
            ("v0=", "0aff"),
            ("v0=", "v0=v0=0aff"),
            ("", "0xff"),
        ] {
            assert_eq!(
                read(prefix, value),
                Err(Rejection::MalformedSignature),
                "{value}"
            );
        }
        let base64 = |value| {
            form("")
                .read(value, Encoding::Base64, 2)
                .map(|read| read.signatures)
        };
        assert_eq!(base64("Cv8="), Ok(vec![vec![10, 255]]));
        for other_spelling in ["Cv8", "Cv9=", "Cv8==", "Cv_8"] {
            assert!(base64(other_spelling).is_err(), "{other_spelling}");
        }
    }

    #[test]
    fn a_list_has_one_time_and_several_signatures() {
        let read = |separator, value| {
            list(separator)
                .read(value, Encoding::Hex, 1)
                .map(|r| (r.timestamp, r.signatures))
        };
        assert_eq!(
            read(',', "t=5,v1=01,v0=02,v1=03"),
            Ok((Some("5"), vec![vec![1], vec![3]]))
        );
        assert_eq!(
            read(',', " v1=01 , t=5, junk"),
            Ok((Some("5"), vec![vec![1]]))
        );
        assert_eq!(
            read(';', "t=5;v1=0101;v1=01"),
            Ok((Some("5"), vec![vec![1]]))
        );
        for wrong in [
            "",
            "t=5",
            "v1=01",
            "t=5,t=5,v1=01",
            "t=5,v1=0101",
            "t=5;v1=01",
            "t=5,V1=01",
        ] {
            assert_eq!(
                read(',', wrong),
                Err(Rejection::MalformedSignature),
                "{wrong}"
            );
        }
        let without = Form::List(ListForm::new("h1", None, ',').expect("good names"));
        assert_eq!(
            without.read("h1=01", Encoding::Hex, 1).map(|r| r.timestamp),
            Ok(None)
        );
        for wrong in [
            ("", Some("t"), ','),
            ("v1", Some("v1"), ','),
            ("v1", Some("a=b"), ','),
            ("v1", None, '='),
        ] {
            assert!(
                ListForm::new(wrong.0, wrong.1, wrong.2).is_err(),
                "{wrong:?}"
            );
        }
    }
}
