//! Addresses to listen on, as people write them: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`,
//! `:8080`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// Parses an address. Without a host it is the loopback address of this machine; for every
/// interface, write `0.0.0.0`.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    // As for secrets: files and secret stores end a value with a newline.
    let text = text.trim_end_matches(['\r', '\n']);
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let not_one = || {
        format!(
            "'{text}' is not an address to listen on: write HOST:PORT, for example 127.0.0.1:8080"
        )
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(not_one)?;
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port: u16 = port.parse().ok().filter(|_| digits).ok_or_else(not_one)?;
    if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let found = (host, port).to_socket_addrs();
    let found =
        found.map_err(|error| format!("the host of '{text}' cannot be resolved: {error}"))?;
    let found: Vec<_> = found.collect();
    found
        .iter()
        .find(|address| address.is_ipv4())
        .or(found.first())
        .copied()
        .ok_or_else(not_one)
}

/// An address for URLs used on this machine, also if the server listens on every interface.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_name_its_host_or_leave_it_out() {
        let address = |text: &str| listen_address(text).expect(text).to_string();
        for (text, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:8080", "[::1]:8080"),
            ("localhost:8080", "127.0.0.1:8080"),
            (":8080", "127.0.0.1:8080"),
            ("127.0.0.1:8080\r\n", "127.0.0.1:8080"),
        ] {
            assert_eq!(address(text), expected, "{text}");
        }
        for wrong in [
            "",
            "8080",
            "localhost",
            "localhost:",
            ":http",
            ":+80",
            ":65536",
            "[::1]",
            "no such host:80",
        ] {
            assert!(listen_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wildcard_address_is_reached_by_the_loopback_address() {
        let reached = |text: &str| reachable(text.parse().expect(text)).to_string();
        assert_eq!(reached("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(reached("[::]:80"), "[::1]:80");
        assert_eq!(reached("192.0.2.1:80"), "192.0.2.1:80");
    }
}
