//! Who may come in.

use std::net::{IpAddr, Ipv6Addr};

use irongate_shared::config::Network;

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

/// What limits per address count together. SECURITY: whoever has one IPv6 address has the 2⁶⁴ of its network.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_network_are_counted_together() {
        let counted = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
        assert_eq!(counted("10.0.0.1"), "10.0.0.1");
        assert_eq!(counted("::ffff:10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn deny_wins_over_allow() {
        let rule = AddressRule {
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            deny: vec!["10.1.0.0/16".parse().unwrap()],
        };
        assert!(rule.admits("10.2.0.1".parse().unwrap()));
        assert!(!rule.admits("10.1.0.1".parse().unwrap()));
        assert!(!rule.admits("9.0.0.1".parse().unwrap()));
    }
}
