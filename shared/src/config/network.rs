//! Networks as people write them: `10.0.0.0/8`, `::1`, `2001:db8::/32`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use super::values::as_text;

/// An address block, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    mask: u128,
}

/// An IPv4 address is the last 32 bits of its mapped IPv6 address.
const IPV4_OFFSET: u32 = 96;

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        as_bits(address) & self.mask == self.bits
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parsed(text).ok_or_else(|| format!("`{text}` is no network: write \"10.0.0.0/8\""))
    }
}

fn parsed(text: &str) -> Option<Network> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let (width, offset) = if address.is_ipv4() { (32, IPV4_OFFSET) } else { (128, 0) };
    let prefix = prefix.unwrap_or(width);
    if prefix > width {
        return None;
    }
    let mask = u128::MAX.checked_shl(128 - prefix - offset).unwrap_or(0);
    Some(Network { bits: as_bits(address) & mask, mask })
}

/// One comparison does for IPv4 and IPv6.
fn as_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, address) = (self.mask.leading_ones(), Ipv6Addr::from_bits(self.bits));
        match (address.to_ipv4_mapped(), prefix) {
            (Some(address), 128) => write!(f, "{address}"),
            (Some(address), IPV4_OFFSET..) => write!(f, "{address}/{}", prefix - IPV4_OFFSET),
            (_, 128) => write!(f, "{address}"),
            _ => write!(f, "{address}/{prefix}"),
        }
    }
}

as_text!(Network);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_their_prefix_says() {
        let holds = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
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
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_are_written_back_as_people_write_them() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "127.0.0.1", "2001:db8::/32", "::/0", "::1"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!("10.1.2.3/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
    }
}
