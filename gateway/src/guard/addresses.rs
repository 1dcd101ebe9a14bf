//! Networks: who may come in, and which proxies are believed.

use std::net::{IpAddr, Ipv6Addr};

/// An address block (`10.0.0.0/8`, `::1`, `2001:db8::/32`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    bits: u128,
    mask: u128,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let prefix = prefix.unwrap_or(width);
        if prefix > width {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - prefix - offset).unwrap_or(0);
        Some(Self { bits: as_bits(address) & mask, mask })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        as_bits(address) & self.mask == self.bits
    }
}

/// IPv4 as its mapped IPv6 address, so that one comparison does for both.
fn as_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}

/// An allow list and a deny list; deny wins.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressRule {
    pub(crate) allow: Vec<Network>,
    pub(crate) deny: Vec<Network>,
}

impl AddressRule {
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        !self.deny.iter().any(|network| network.contains(address))
            && (self.allow.is_empty() || self.allow.iter().any(|network| network.contains(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_their_prefix_says() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.1.2"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1"));
        assert!(holds("::/0", "1.2.3.4"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "x", "::/129"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn deny_wins_over_allow() {
        let rule = AddressRule {
            allow: vec![Network::parse("10.0.0.0/8").unwrap()],
            deny: vec![Network::parse("10.1.0.0/16").unwrap()],
        };
        assert!(rule.admits("10.2.0.1".parse().unwrap()));
        assert!(!rule.admits("10.1.0.1".parse().unwrap()));
        assert!(!rule.admits("9.0.0.1".parse().unwrap()));
    }
}
