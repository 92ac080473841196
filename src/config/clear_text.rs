//! Detects URLs that send requests through public networks without TLS.

use crate::domain::special_purpose;
use reqwest::Url;
use url::Host;

/// Whether requests to that URL can be read on public networks.
pub(super) fn sends_in_the_clear(url: &str) -> bool {
    let Ok(url) = Url::parse(url.trim()) else {
        return false;
    };
    let is_public = match url.host() {
        Some(Host::Ipv4(address)) => special_purpose(address.into()).is_none(),
        Some(Host::Ipv6(address)) => special_purpose(address.into()).is_none(),
        Some(Host::Domain(name)) => !is_near(name),
        None => false,
    };
    url.scheme() == "http" && is_public
}

/// Whether the name can only be an address in a private network.
fn is_near(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let ends = [
        ".localhost",
        ".local",
        ".internal",
        ".lan",
        ".home.arpa",
        ".svc",
        ".test",
    ];
    !name.contains('.') || ends.into_iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::sends_in_the_clear;

    #[test]
    fn plain_http_is_reported_only_through_public_networks() {
        for public in [
            "http://shop.example.com/",
            "http://8.8.8.8:9/",
            "http://[2606:4700::1111]/",
            "http://a.b.c./",
        ] {
            assert!(sends_in_the_clear(public), "{public}");
            assert!(
                !sends_in_the_clear(&public.replace("http:", "https:")),
                "{public}"
            );
        }
        for near in [
            "http://localhost/",
            "http://127.1/",
            "http://[::1]/",
            "http://10.0.0.1/",
            "http://shop/",
            "http://a.internal/",
            "no url",
        ] {
            assert!(!sends_in_the_clear(near), "{near}");
        }
    }
}
