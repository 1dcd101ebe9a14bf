//! Who may come in.

use std::net::IpAddr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
