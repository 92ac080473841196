//! The settings of the console.

use std::net::IpAddr;
use url::Url;

/// What the console needs besides its login.
#[derive(Clone, Debug)]
pub struct ConsoleSettings {
    /// The role that may begin and end sessions, of which the login is a member.
    pub role: String,
    /// The address under which browsers reach it, if that is not a loopback address.
    pub url: Option<Url>,
    /// Whether it also has the page `/design`, which shows every component.
    pub is_development: bool,
}

impl ConsoleSettings {
    /// Whether a Host header names this console. Only loopback names are allowed with any port: any
    /// other name could be one that a stranger's DNS points to this machine.
    pub(super) fn is_host(&self, host: &str) -> bool {
        let Ok(named) = Url::parse(&format!("http://{host}/")) else {
            return false;
        };
        // What the parser would read as user, path or query is not a host.
        if named.path() != "/" || !named.username().is_empty() || named.query().is_some() {
            return false;
        }
        let is_loopback = match named.host() {
            Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(url::Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(url::Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            None => false,
        };
        is_loopback || self.url.as_ref().is_some_and(|url| authority(url) == host)
    }

    /// Whether an Origin header is that of the host.
    pub(super) fn is_origin(&self, origin: &str, host: &str) -> bool {
        match &self.url {
            Some(url) if authority(url) == host => origin == url.origin().ascii_serialization(),
            _ => origin == format!("http://{host}"),
        }
    }

    /// Whether the cookie may only be sent over TLS, for a request with this Host header.
    pub(super) fn is_secure(&self, host: &str) -> bool {
        let https = self.url.as_ref().filter(|url| url.scheme() == "https");
        https.is_some_and(|url| authority(url) == host)
    }
}

/// Host and port as browsers write them: without the port of the scheme.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: Option<&str>) -> ConsoleSettings {
        ConsoleSettings {
            role: "hookfast_console".to_owned(),
            url: url.map(|url| url.parse().expect("a URL")),
            is_development: false,
        }
    }

    #[test]
    fn only_loopback_names_and_the_configured_host_are_hosts() {
        let local = settings(None);
        for host in [
            "localhost",
            "localhost:8082",
            "127.0.0.1:1",
            "[::1]:8082",
            "127.0.0.2",
            "LOCALHOST:1",
        ] {
            assert!(local.is_host(host), "{host}");
        }
        let public = settings(Some("https://hooks.example.com/"));
        assert!(public.is_host("hooks.example.com"));
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "localhost:80@evil.example",
            "evil.example#localhost",
            "127.0.0.1.evil.example",
            "localhost/",
            "hooks.example.com:8443",
            "hooks.example.com.",
            "10.0.0.1",
            "[::ffff:10.0.0.1]",
        ] {
            assert!(!public.is_host(host), "{host}");
        }
    }

    #[test]
    fn an_origin_has_the_scheme_of_its_host() {
        let public = settings(Some("https://hooks.example.com"));
        assert!(public.is_origin("https://hooks.example.com", "hooks.example.com"));
        assert!(!public.is_origin("http://hooks.example.com", "hooks.example.com"));
        assert!(public.is_origin("http://localhost:8082", "localhost:8082"));
        assert!(!public.is_origin("http://localhost:8083", "localhost:8082"));
        assert!(!public.is_origin("null", "localhost:8082"));
        assert!(public.is_secure("hooks.example.com") && !public.is_secure("localhost:8082"));
    }
}
