//! Parses the path of a URL into a source and a topic.

use super::{Source, Sources};
use percent_encoding::percent_decode_str;

/// What a path refers to.
pub(super) enum Address<'s> {
    /// A source, and the topic if there is one.
    Hook(&'s Source, Option<String>),
    /// A source, followed by something that cannot be a topic.
    BadTopic(&'s Source),
    /// No configured source.
    UnknownSource,
    /// Not below `/webhooks`.
    UnknownPath,
}

impl<'s> Address<'s> {
    /// Parses `/webhooks/{source}[/{topic}]`, with or without a slash at the end. Names and topics
    /// are percent-decoded.
    pub(super) fn parse(path: &str, sources: &'s Sources) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        let Some(rest) = path.strip_prefix("/webhooks/") else {
            return Self::UnknownPath;
        };
        let (source, topic) = rest
            .split_once('/')
            .map_or((rest, None), |(source, topic)| (source, Some(topic)));
        let Some(source) = decoded(source).and_then(|name| sources.get(&name)) else {
            return Self::UnknownSource;
        };
        match topic {
            None => Self::Hook(source, None),
            Some(topic) if topic.is_empty() || topic.contains('/') => Self::BadTopic(source),
            Some(topic) => decoded(topic).map_or(Self::BadTopic(source), |topic| {
                Self::Hook(source, Some(topic))
            }),
        }
    }

    /// The source in the first line of an incomplete request head, if that line can be read.
    pub(super) fn source_of_head(head: &[u8], sources: &'s Sources) -> Option<&'s Source> {
        let mut words = head
            .split(|byte| *byte == b' ' || *byte == b'\r' || *byte == b'\n')
            .skip(1);
        let target = std::str::from_utf8(words.next()?).ok()?;
        let path = target.split('?').next()?;
        match Self::parse(path, sources) {
            Self::Hook(source, _) | Self::BadTopic(source) => Some(source),
            Self::UnknownSource | Self::UnknownPath => None,
        }
    }
}

fn decoded(part: &str) -> Option<String> {
    percent_decode_str(part)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OnInvalidSignature;
    use crate::signing::Secret;
    use crate::sources::airalo::Airalo;
    use std::sync::Arc;

    fn sources() -> Sources {
        let secret = Secret::new("test", b"0123456789abcdef".to_vec()).expect("long enough");
        let (name, kind) = ("shop".parse().expect("a name"), Arc::new(Airalo));
        Sources::new([
            Source::new(name, kind, vec![secret], OnInvalidSignature::Reject)
                .expect("it has a secret"),
        ])
    }

    #[test]
    fn a_trailing_slash_changes_nothing_and_the_rest_is_the_topic() {
        let sources = sources();
        let topic = |path| match Address::parse(path, &sources) {
            Address::Hook(_, topic) => topic.unwrap_or_else(|| "none".to_owned()),
            Address::BadTopic(_) => "bad".to_owned(),
            Address::UnknownSource => "unknown source".to_owned(),
            Address::UnknownPath => "unknown path".to_owned(),
        };
        for (path, expected) in [
            ("/webhooks/shop", "none"),
            ("/webhooks/shop/", "none"),
            ("/webhooks/%73hop", "none"),
            ("/webhooks/shop/orders", "orders"),
            ("/webhooks/shop/orders/", "orders"),
            ("/webhooks/shop/a%2Fb%20", "a/b "),
            ("/webhooks/shop//", "bad"),
            ("/webhooks/shop/a/b", "bad"),
            ("/webhooks/shop/%ff", "bad"),
            ("/webhooks/nobody/", "unknown source"),
            ("/webhooks/%ff", "unknown source"),
            ("/webhooks//shop", "unknown source"),
            ("/webhooks/", "unknown path"),
            ("/webhooks", "unknown path"),
            ("/", "unknown path"),
            ("", "unknown path"),
            ("*", "unknown path"),
        ] {
            assert_eq!(topic(path), expected, "{path}");
        }
    }

    #[test]
    fn the_source_is_parsed_from_a_partial_head() {
        let sources = sources();
        let known = |head: &[u8]| Address::source_of_head(head, &sources).is_some();
        assert!(
            known(b"POST /webhooks/shop HTTP/1.1\r\n") && known(b"POST /webhooks/shop?a=/b/c/d")
        );
        assert!(known(b"POST /webhooks/shop/\r\n") && known(b"\xff /webhooks/shop \0"));
        for unknown in [
            &b""[..],
            b"POST",
            b"POST ",
            b"POST /webhooks/sho",
            b"POST /webhooks/\xff",
            b"\x16\x03\x01",
        ] {
            assert!(!known(unknown), "{unknown:?}");
        }
    }
}
