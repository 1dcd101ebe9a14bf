//! Where a request comes from: the address and program at the other end.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::{IpAddr, SocketAddr},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};

use crate::config::Network;

/// Peers whose `X-Forwarded-For` is believed besides loopback and Unix sockets: where the gateway runs.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Vec<Network>);

/// The client of a request, for limits, session lists and the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// `None` only over a Unix socket whose peer sent no `X-Forwarded-For`.
    pub ip: Option<IpAddr>,
    /// As sent, cut to a length that a list can show.
    pub user_agent: Option<String>,
}

impl Client {
    const LONGEST_USER_AGENT: usize = 256;

    /// The address as text, `unknown` where there is none.
    pub fn address(&self) -> String {
        self.ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string())
    }

    fn of(request: &HttpRequest) -> Self {
        let trusted = request.app_data::<web::Data<TrustedProxies>>();
        let trusted = trusted.map_or(&[][..], |trusted| &trusted.0);
        let forwarded =
            request.headers().get_all("x-forwarded-for").last().and_then(|value| value.to_str().ok());
        let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            ip: address(request.peer_addr(), trusted, forwarded),
            user_agent: user_agent.map(|text| text.chars().take(Self::LONGEST_USER_AGENT).collect()),
        }
    }
}

impl FromRequest for Client {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// SECURITY: anybody can send `X-Forwarded-For`; a limit per address holds only if nobody but the gateway is
/// believed, and of what it sends only the last entry, which is its own.
fn address(peer: Option<SocketAddr>, trusted: &[Network], forwarded: Option<&str>) -> Option<IpAddr> {
    let peer = peer.map(|peer| peer.ip().to_canonical());
    let believed =
        peer.is_none_or(|peer| peer.is_loopback() || trusted.iter().any(|network| network.contains(peer)));
    let last = || forwarded?.rsplit(',').next()?.trim().parse::<IpAddr>().ok();
    if believed { last().map(|ip| ip.to_canonical()).or(peer) } else { peer }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: Option<&str>) -> String {
        let trusted = ["10.0.0.2".parse().unwrap(), "10.9.0.0/16".parse().unwrap()];
        address(Some(peer.parse().unwrap()), &trusted, forwarded).unwrap().to_string()
    }

    #[test]
    fn only_the_gateway_is_believed_and_only_its_own_entry() {
        assert_eq!(seen("127.0.0.1:1", Some("6.6.6.6, 203.0.113.9")), "203.0.113.9");
        assert_eq!(seen("10.0.0.2:1", Some("203.0.113.9")), "203.0.113.9");
        assert_eq!(seen("10.9.8.7:1", Some("203.0.113.9")), "203.0.113.9");
        assert_eq!(seen("198.51.100.7:1", Some("203.0.113.9")), "198.51.100.7");
        assert_eq!(seen("[::ffff:198.51.100.7]:1", None), "198.51.100.7");
        assert_eq!(seen("127.0.0.1:1", Some("nonsense")), "127.0.0.1");
        assert_eq!(address(None, &[], Some("203.0.113.9")), Some("203.0.113.9".parse().unwrap()));
    }
}
