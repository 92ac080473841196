//! A range of IP addresses: one address, or a network such as `10.0.0.0/8`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is the IPv4 address, in a range and in what is
/// compared with it: a server that listens for both sees its IPv4 peers so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange {
    first: IpAddr,
    prefix: u32,
}

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
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && first_of(address, self.prefix) == self.first
    }
}

impl FromStr for IpRange {
    type Err = InvalidIpRange;

    fn from_str(text: &str) -> Result<Self, InvalidIpRange> {
        let form = || InvalidIpRange::Form(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| form())?;
        let address = written.to_canonical();
        let prefix = match prefix {
            None => bits(address),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                let prefix: u32 = digits.parse().map_err(|_| form())?;
                // 96 bits of a mapped address are the mark of being one.
                let beyond = bits(written) - bits(address);
                prefix.checked_sub(beyond).ok_or_else(form)?
            }
            Some(_) => return Err(form()),
        };
        if prefix > bits(address) {
            return Err(form());
        }
        if prefix == 0 {
            return Err(InvalidIpRange::Everything(text.to_owned()));
        }
        let network = Self {
            first: first_of(address, prefix),
            prefix,
        };
        match network.first == address {
            true => Ok(network),
            false => Err(InvalidIpRange::InsideNetwork {
                text: text.to_owned(),
                network,
            }),
        }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix == bits(self.first) {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}/{}", self.first, self.prefix),
        }
    }
}

fn bits(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with the bits behind the prefix cleared.
fn first_of(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
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
    fn what_is_no_range_is_refused() {
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
