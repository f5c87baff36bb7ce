//! Which addresses belong to the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 that are not the public internet, with what they are.
const V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "an address of this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "an address of a carrier's own network"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    // Azure's own services of a machine, metadata among it, under an address that is public by its number.
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's metadata service"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "an address for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a relay between IPv6 and IPv4"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "an address for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
];

/// Networks inside the global unicast space of IPv6 that are not the public internet.
const V6: &[(Ipv6Addr, u32, &str)] = &[
    // A tunnel's address names a server and a client behind it; nobody serves packs there.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "an address of a Teredo tunnel"),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "an address for benchmarks"),
    (Ipv6Addr::new(0x2001, 0x10, 0, 0, 0, 0, 0, 0), 28, "an identifier of a host, no address"),
    (Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 0), 28, "an identifier of a host, no address"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "an address for documentation"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "an address for documentation"),
];

/// The global unicast space; what lies outside is for other uses, but for what carries an IPv4 address.
const GLOBAL: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What an address is if it does not belong to the public internet; none if it does.
///
/// An IPv6 address that carries an IPv4 address (mapped, compatible, 6to4, NAT64, ISATAP) is what that one is.
pub fn why_not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Option<&'static str> {
    let is_in = |(net, length): (Ipv4Addr, u32)| (address.to_bits() ^ net.to_bits()).leading_zeros() >= length;
    V4.iter().find(|(net, length, _)| is_in((*net, *length))).map(|(.., what)| *what)
}

fn v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("the unspecified address");
    }
    if address.is_loopback() {
        return Some("a loopback address");
    }
    if let Some(carried) = carried(address) {
        return v4(carried);
    }
    let is_in = |(net, length): (Ipv6Addr, u32)| (address.to_bits() ^ net.to_bits()).leading_zeros() >= length;
    if is_in(GLOBAL) {
        return V6.iter().find(|(net, length, _)| is_in((*net, *length))).map(|(.., what)| *what);
    }
    Some(match address.segments() {
        [first, ..] if first & 0xfe00 == 0xfc00 => "a private address",
        [first, ..] if first & 0xffc0 == 0xfe80 => "a link-local address",
        [first, ..] if first & 0xff00 == 0xff00 => "a multicast address",
        _ => "a reserved address",
    })
}

/// The IPv4 address that an IPv6 address stands for, if it stands for one.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // Mapped, and compatible.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => Some(join(high, low)),
        // Translated (SIIT), and NAT64 with the well-known prefix.
        [0, 0, 0, 0, 0xffff, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        // 6to4.
        [0x2002, high, low, ..] => Some(join(high, low)),
        // ISATAP, in any network.
        [.., 0 | 0x200, 0x5efe, high, low] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn why(text: &str) -> Option<&'static str> {
        why_not_public(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "11.0.0.0",
            "168.63.129.15",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860::1",
            "::ffff:8.8.8.8",
            "2002:808:808::1",
            "64:ff9b::808:808",
            "2a00:1450::5efe:1",
        ] {
            assert_eq!(why(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_the_internet_says_what_it_is() {
        for (text, what) in [
            ("0.0.0.0", "this network"),
            ("10.1.2.3", "private"),
            ("100.64.0.1", "carrier"),
            ("100.100.100.200", "carrier"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("168.63.129.16", "metadata"),
            ("169.254.169.254", "link-local"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "protocols"),
            ("192.168.1.1", "private"),
            ("198.18.0.1", "benchmarks"),
            ("203.0.113.7", "documentation"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("fd00:ec2::254", "private"),
            ("fe80::1", "link-local"),
            ("ff02::1", "multicast"),
            ("fec0::1", "reserved"),
            ("100::1", "reserved"),
            ("64:ff9b:1::1", "reserved"),
            ("2001:db8::1", "documentation"),
            ("2001:0:1::1", "Teredo"),
            ("3fff::1", "documentation"),
            ("5f00::1", "reserved"),
        ] {
            assert!(why(text).is_some_and(|why| why.contains(what)), "{text}: {:?}", why(text));
        }
    }

    proptest! {
        #[test]
        fn an_address_that_carries_another_is_what_that_one_is(bits: u32, net: u64) {
            let inner = Ipv4Addr::from_bits(bits);
            prop_assume!(bits > 1);
            let [a, b, c, d] = inner.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            let global = (net >> 3 | 1 << 61).to_be_bytes();
            let [n0, n1, n2, n3] = [0, 2, 4, 6].map(|at| u16::from_be_bytes([global[at], global[at + 1]]));
            for outer in [
                inner.to_ipv6_mapped(),
                inner.to_ipv6_compatible(),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, n3, 1, 2, 3, 4),
            ] {
                prop_assert_eq!(why_not_public(outer.into()), why_not_public(inner.into()), "{}", outer);
            }
            if n0 != 0x2002 {
                let isatap = Ipv6Addr::new(n0, n1, n2, n3, 0, 0x5efe, high, low);
                prop_assert_eq!(why_not_public(isatap.into()), why_not_public(inner.into()), "{}", isatap);
            }
        }
    }
}
