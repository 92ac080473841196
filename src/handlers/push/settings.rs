//! Checks an http handler's settings before anything is sent.

use super::guard::{self, AddressBlocked};

use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use std::net::IpAddr;
use url::Host;

/// Settings that cannot work. No message reveals a secret: neither the URL's query nor a header's
/// value.
#[derive(Debug, thiserror::Error)]
pub enum InvalidHttpHandler {
    /// The URL is invalid.
    #[error("the handler's url cannot be read ({0}); write it as https://example.com/hooks")]
    Url(#[from] url::ParseError),
    /// The URL has another scheme or no host, or the client cannot send to it.
    #[error(
        "the handler's url cannot be posted to; it must begin with https:// or http:// and name a host"
    )]
    NotHttp,
    /// The URL holds a user or a password.
    #[error(
        "the handler's url contains a user or a password; send them as an 'authorization' header instead"
    )]
    Userinfo,
    /// The host is an address of a private network.
    #[error(transparent)]
    Address(#[from] AddressBlocked),
    /// There is no secret to sign with.
    #[error(
        "the handler has no secret to sign with; make one with: echo \"whsec_$(openssl rand -base64 32)\""
    )]
    NoSecret,
    /// A header cannot be sent.
    #[error("the handler's header '{0}' has a name or a value that HTTP does not allow")]
    Header(String),
    /// Hookfast or the connection sets this header.
    #[error(
        "the handler's header '{0}' is set by hookfast itself; remove it from the handler's headers"
    )]
    ReservedHeader(String),
    /// A header of the sender cannot be forwarded. Holds the header and the reason.
    #[error("forward_headers: '{0}' {1}")]
    Forwarded(String, &'static str),
    /// The status cannot make a dead letter.
    #[error("dead_on lists {0}; only statuses from 300 to 599 can make a dead letter")]
    DeadOn(u16),
    /// The timeout is zero.
    #[error("the handler's timeout is zero; give it at least a second")]
    Timeout,
    /// The TLS library or the system's certificates cannot be used.
    #[error(
        "https cannot be used here ({0}); install the system's root certificates (package ca-certificates) or point \
         SSL_CERT_FILE at them"
    )]
    Tls(String),
}

/// Headers that the connection or Hookfast sets. The operator may set all others.
const RESERVED: [&str; 12] = [
    "content-encoding",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-connection",
];

/// The checked URL, with the part of it that may be shown.
pub(super) struct Target {
    pub(super) url: Url,
    /// `host:port`, without the parts that may be secret.
    pub(super) name: String,
}

impl Target {
    pub(super) fn parse(url: &str, allow_private: bool) -> Result<Self, InvalidHttpHandler> {
        let url = Url::parse(url.trim())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidHttpHandler::Userinfo);
        }
        let (Some(host), Some(port), "http" | "https") =
            (url.host(), url.port_or_known_default(), url.scheme())
        else {
            return Err(InvalidHttpHandler::NotHttp);
        };
        // Otherwise every attempt of the client would fail.
        if url.as_str().parse::<axum::http::Uri>().is_err() {
            return Err(InvalidHttpHandler::NotHttp);
        }
        // The url crate has already converted every odd form to an address: 0x7f.1, 2130706433,
        // 127.1, [::ffff:7f00:1].
        let literal = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        if let Some(address) = literal.filter(|_| !allow_private) {
            guard::check_literal(address)?;
        }
        let name = format!("{host}:{port}");
        Ok(Self { url, name })
    }
}

/// Parses the operator's headers. A reserved one is an error and is not dropped silently.
pub(super) fn extra_headers(given: &[(String, String)]) -> Result<HeaderMap, InvalidHttpHandler> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let invalid = || InvalidHttpHandler::Header(name.chars().take(80).collect());
        let parsed: HeaderName = name.parse().map_err(|_| invalid())?;
        if is_reserved(&parsed) {
            return Err(InvalidHttpHandler::ReservedHeader(parsed.to_string()));
        }
        let mut value: HeaderValue = value.parse().map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.append(parsed, value);
    }
    Ok(headers)
}

fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("webhook-") || name.starts_with("hookfast-") || RESERVED.contains(&name)
}

/// Parses the names of the sender's headers to forward; `own` are the operator's headers.
pub(super) fn forwarded_headers(
    given: &[String],
    own: &HeaderMap,
) -> Result<Vec<HeaderName>, InvalidHttpHandler> {
    let mut names: Vec<HeaderName> = Vec::new();
    for text in given {
        let wrong = |why| InvalidHttpHandler::Forwarded(text.chars().take(80).collect(), why);
        let name: HeaderName = text
            .parse()
            .map_err(|_| wrong("is not the name of a header"))?;
        match name.as_str() {
            "content-type" | "content-encoding" => {
                return Err(wrong("is always forwarded; leave it out"));
            }
            "authorization" | "cookie" | "set-cookie" => {
                return Err(wrong(
                    "is never stored, so it cannot be forwarded; leave it out",
                ));
            }
            _ if is_reserved(&name) => {
                return Err(wrong(
                    "belongs to the connection or is set by hookfast itself; leave it out",
                ));
            }
            _ if own.contains_key(&name) => {
                return Err(wrong(
                    "is also in the handler's headers; remove it from one of the two",
                ));
            }
            _ if !names.contains(&name) => names.push(name),
            _ => {}
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senders_header_is_forwarded_unless_it_is_reserved() {
        let own = extra_headers(&[("x-own".to_owned(), "1".to_owned())]).expect("headers");
        let forwarded = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            forwarded_headers(&names, &own)
        };
        let names = forwarded(&[
            "Stripe-Signature",
            "x-github-event",
            "stripe-signature",
            "svix-id",
        ])
        .expect("names");
        assert_eq!(names, ["stripe-signature", "x-github-event", "svix-id"]);
        for refused in [
            "host",
            "connection",
            "transfer-encoding",
            "content-length",
            "te",
            "trailer",
            "upgrade",
            "webhook-id",
            "hookfast-type",
            "authorization",
            "cookie",
            "content-encoding",
            "content-type",
            "x-own",
            "a b",
            "",
        ] {
            let error = forwarded(&[refused]).expect_err(refused).to_string();
            assert!(
                error.contains("forward_headers") && error.contains(refused),
                "{error}"
            );
        }
    }

    fn refused(url: &str) -> String {
        match Target::parse(url, false) {
            Err(error) => error.to_string(),
            Ok(target) => panic!("{url} was taken as {}", target.url),
        }
    }

    #[test]
    fn a_literal_is_judged_in_every_form_it_can_be_written_in() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "0",
            "169.254.169.254",
            "[fe80::1]",
        ] {
            let error = refused(&format!("http://{host}:8080/hook"));
            assert!(
                error.contains("address blocked") && error.contains("allow_private"),
                "{host}: {error}"
            );
            assert!(
                Target::parse(&format!("http://{host}:8080/hook"), true).is_ok(),
                "{host} with allow_private"
            );
        }
    }

    #[test]
    fn only_http_without_a_user_and_with_a_host() {
        for url in [
            "ftp://a.example/",
            "file:///etc/passwd",
            "unix:/run/x",
            "data:,x",
            "mailto:a@b.example",
        ] {
            assert!(refused(url).contains("https://"), "{url}");
        }
        for url in [
            "",
            "a.example",
            "/hook",
            "http://",
            "https:///",
            "http://[::1",
            "http://a b/",
        ] {
            assert!(!refused(url).is_empty(), "{url}");
        }
        for url in [
            "http://user@a.example/",
            "http://user:hunter2@a.example/",
            "https://:hunter2@a.example/",
        ] {
            let error = refused(url);
            assert!(
                error.contains("authorization") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn messages_show_only_the_host_and_port_of_a_url() {
        for (url, name) in [
            ("https://a.example/hook?token=hunter2", "a.example:443"),
            ("http://A.example:8080/#x", "a.example:8080"),
            ("https://[2606:4700::1111]/", "[2606:4700::1111]:443"),
        ] {
            assert_eq!(
                Target::parse(url, false).map(|t| t.name).ok().as_deref(),
                Some(name)
            );
        }
    }

    #[test]
    fn headers_that_would_break_the_request_or_the_signature_are_refused() {
        let one = |name: &str, value: &str| extra_headers(&[(name.to_owned(), value.to_owned())]);
        assert_eq!(
            one("Authorization", "Bearer x").map(|h| h.len()).ok(),
            Some(1)
        );
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "webhook-id",
            "hookfast-attempt",
        ] {
            assert!(
                matches!(one(name, "x"), Err(InvalidHttpHandler::ReservedHeader(_))),
                "{name}"
            );
        }
        for (name, value) in [
            ("a b", "x"),
            ("", "x"),
            ("x-a", "secret\r\nx-b: y"),
            ("x-a", "secret\0"),
        ] {
            let error = one(name, value).expect_err(name).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
