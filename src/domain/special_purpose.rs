//! Addresses that are not globally reachable.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ranges that are not globally reachable: the IANA special-purpose registry, multicast and
/// reserved addresses.
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>
const V4: [(Ipv4Addr, u32, &str); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    // Azure's host serves virtual machines at this public-looking address.
    (Ipv4Addr::new(168, 63, 129, 16), 32, "cloud platform"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(255, 255, 255, 255), 32, "broadcast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// The ranges that are not globally reachable, narrower ranges first. [`special_purpose`] also
/// rejects everything outside of 2000::/3, which is all that is assigned as global unicast. It
/// judges forms that embed an IPv4 address and may be public by that address.
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>
const V6: [(Ipv6Addr, u32, &str); 13] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4-compatible"),
    (v6(0x0100, 0, 0), 8, "discard only"),
    (v6(0x2001, 0, 0), 32, "Teredo"),
    (v6(0x2001, 0, 0), 23, "protocol assignments"),
    (v6(0x2001, 0xdb8, 0), 32, "documentation"),
    (v6(0x2002, 0, 0), 16, "6to4"),
    (v6(0x3fff, 0, 0), 20, "documentation"),
    (v6(0xfc00, 0, 0), 7, "unique local"),
    (v6(0xfe80, 0, 0), 10, "link-local"),
    (v6(0xfec0, 0, 0), 10, "site-local"),
    (v6(0xff00, 0, 0), 8, "multicast"),
];

const fn v6(a: u16, b: u16, c: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)
}

const GLOBAL_UNICAST: (Ipv6Addr, u32) = (v6(0x2000, 0, 0), 3);
const NAT64: (Ipv6Addr, u32) = (v6(0x64, 0xff9b, 0), 96);

/// The special purpose of an address, or `None` if it is globally reachable.
pub(crate) fn special_purpose(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let within = |(net, length, _): &&(Ipv4Addr, u32, _)| {
        (address.to_bits() ^ net.to_bits()) >> (32 - length) == 0
    };
    V4.iter().find(within).map(|(_, _, why)| *why)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    // The kernel (mapped addresses) or a gateway (NAT64) sends these to the embedded IPv4 address.
    if let Some(v4) = address.to_ipv4_mapped() {
        return special_v4(v4);
    }
    if within_v6(address, NAT64.0, NAT64.1) {
        let [.., a, b, c, d] = address.octets();
        return special_v4(Ipv4Addr::new(a, b, c, d));
    }
    let known = V6
        .iter()
        .find(|(net, length, _)| within_v6(address, *net, *length))
        .map(|(_, _, why)| *why);
    known
        .or((!within_v6(address, GLOBAL_UNICAST.0, GLOBAL_UNICAST.1))
            .then_some("not global unicast"))
}

fn within_v6(address: Ipv6Addr, net: Ipv6Addr, length: u32) -> bool {
    (address.to_bits() ^ net.to_bits()) >> (128 - length) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_special(address: &str) -> bool {
        special_purpose(address.parse().expect(address)).is_some()
    }

    #[test]
    fn every_range_is_special_from_its_first_address_to_its_last_and_no_further() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("168.63.129.16", "168.63.129.16"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
        ] {
            let bits = |s: &str| s.parse::<Ipv4Addr>().expect(s).to_bits();
            assert!(is_special(first) && is_special(last), "{first} to {last}");
            let before = bits(first).checked_sub(1).map(Ipv4Addr::from_bits);
            let after = bits(last).checked_add(1).map(Ipv4Addr::from_bits);
            for outside in before.into_iter().chain(after) {
                assert_eq!(special_purpose(outside.into()), None, "{outside}");
            }
        }
        for (first, last) in [
            ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let bits = |s: &str| s.parse::<Ipv6Addr>().expect(s).to_bits();
            assert!(is_special(first) && is_special(last), "{first} to {last}");
            let before = bits(first).checked_sub(1).map(Ipv6Addr::from_bits);
            let after = bits(last).checked_add(1).map(Ipv6Addr::from_bits);
            for outside in before.into_iter().chain(after) {
                assert_eq!(special_purpose(outside.into()), None, "{outside}");
            }
        }
    }

    #[test]
    fn single_addresses_get_the_reason_a_person_understands() {
        for (address, why) in [
            ("127.0.0.1", "loopback"),
            ("169.254.169.254", "link-local"),
            ("100.100.100.200", "carrier-grade NAT"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::7f00:1", "IPv4-compatible"),
            ("::ffff:127.0.0.1", "loopback"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b:1::8.8.8.8", "not global unicast"),
            ("100::1", "discard only"),
            ("2002:7f00:1::", "6to4"),
            ("2001:0:7f00:1::", "Teredo"),
            ("fd00:ec2::254", "unique local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("5f00::1", "not global unicast"),
        ] {
            assert_eq!(
                special_purpose(address.parse().expect(address)),
                Some(why),
                "{address}"
            );
        }
        for public in [
            "8.8.8.8",
            "1.1.1.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(!is_special(public), "{public}");
        }
    }

    proptest! {
        #[test]
        fn a_mapped_or_translated_address_gets_the_answer_of_the_one_inside(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let translated = Ipv6Addr::from_bits(NAT64.0.to_bits() | u128::from(bits));
            prop_assert_eq!(special_purpose(v4.to_ipv6_mapped().into()), special_purpose(v4.into()));
            prop_assert_eq!(special_purpose(translated.into()), special_purpose(v4.into()));
        }

        #[test]
        fn special_addresses_of_the_standard_library_are_special(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_unspecified() || v4.is_documentation();
            prop_assert!(!special || special_purpose(v4.into()).is_some());
        }
    }
}
