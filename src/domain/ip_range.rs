//! A range of IP addresses: one address, or a network such as `10.0.0.0/8`.

use ipnet::{IpNet, Ipv4Net};
use std::{fmt, net::IpAddr, str::FromStr};

/// An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is the IPv4 address, in a range and in what is
/// compared with it: a server that listens for both sees its IPv4 peers so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange(IpNet);

/// The text is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIpRange {
    /// It does not have the form of one.
    #[error("'{0}' is neither an IP address nor a network such as 10.0.0.0/8")]
    Form(String),
    /// The address has bits that the prefix does not cover.
    #[error("'{text}' has an address inside the network; write {network} or the address alone")]
    InsideNetwork {
        /// The text.
        text: String,
        /// The network that the address is in.
        network: IpRange,
    },
    /// It has every address.
    #[error("'{0}' is every address, so it restricts nothing")]
    Everything(String),
}

impl IpRange {
    /// Whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for IpRange {
    type Err = InvalidIpRange;

    fn from_str(text: &str) -> Result<Self, InvalidIpRange> {
        let form = || InvalidIpRange::Form(text.to_owned());
        let written = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().map_err(|_| form())?,
        };
        let network = canonical(written).ok_or_else(form)?;
        if network.prefix_len() == 0 {
            return Err(InvalidIpRange::Everything(text.to_owned()));
        }
        match network.trunc() == network {
            true => Ok(Self(network)),
            false => Err(InvalidIpRange::InsideNetwork {
                text: text.to_owned(),
                network: Self(network.trunc()),
            }),
        }
    }
}

/// A network of mapped addresses as that of IPv4. `None` if it has others, too: 96 bits are the mark
/// of a mapped address.
fn canonical(network: IpNet) -> Option<IpNet> {
    match network.addr().to_canonical() {
        IpAddr::V4(address) if network.addr().is_ipv6() => {
            let prefix = network.prefix_len().checked_sub(96)?;
            Some(Ipv4Net::new(address, prefix).ok()?.into())
        }
        _ => Some(network),
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.prefix_len() == self.0.max_prefix_len() {
            true => write!(f, "{}", self.0.addr()),
            false => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_addresses_and_no_others() {
        for (range, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.9.9.9", "::ffff:11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("127.0.0.1/32", "127.0.0.1", "127.0.0.0"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("::ffff:10.0.0.0/104", "10.3.4.5", "11.0.0.0"),
            ("::1", "::1", "::2"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
            // An IPv4 address with the same bits.
            ("::a00:0/104", "::a00:1", "10.0.0.1"),
        ] {
            let range: IpRange = range.parse().expect(range);
            assert!(range.contains(inside.parse().expect(inside)), "{range}");
            assert!(!range.contains(outside.parse().expect(outside)), "{range}");
        }
    }

    #[test]
    fn an_invalid_range_is_refused() {
        for text in [
            "",
            "localhost",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "::/129",
            "::ffff:10.0.0.0/80",
            " 10.0.0.1",
            "10.0.0.1:80",
            "[::1]",
        ] {
            let refused = text.parse::<IpRange>();
            assert_eq!(refused, Err(InvalidIpRange::Form(text.to_owned())));
        }
        for everything in ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"] {
            let refused = everything.parse::<IpRange>();
            assert_eq!(
                refused,
                Err(InvalidIpRange::Everything(everything.to_owned()))
            );
        }
        let inside = "10.1.2.3/8"
            .parse::<IpRange>()
            .expect_err("bits")
            .to_string();
        assert!(inside.contains("write 10.0.0.0/8"), "{inside}");
    }
}
