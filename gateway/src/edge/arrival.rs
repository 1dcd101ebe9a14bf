//! Who asks, and under which id: what is known of a request before anything is decided.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use crate::{
    exchange::{Client, Connection, Request, Traced},
    observe::clock,
    snapshot::Snapshot,
    wire::{Fields, RequestHead, list, request::valid_authority},
};
use irongate_shared::traces::{self, Context};

const ID_MAX: usize = 64;

pub(super) fn request(
    snapshot: &Snapshot,
    head: RequestHead,
    path: String,
    connection: Arc<Connection>,
    arrived: Instant,
) -> Request {
    let peer = connection.peer.ip().to_canonical();
    let trusted = |address: IpAddr| snapshot.trusted_proxies.iter().any(|network| network.contains(address));
    let believes = trusted(peer);
    let client = client(&head, &connection, peer, believes, &trusted);
    let (traceparent, trace) = trace(&head.fields);
    Request {
        id: request_id(&head.fields, believes, arrived),
        traceparent,
        trace,
        client,
        path,
        head,
        connection,
        arrived,
        subject: None,
    }
}

fn client(
    head: &RequestHead,
    connection: &Connection,
    peer: IpAddr,
    believes: bool,
    trusted: &dyn Fn(IpAddr) -> bool,
) -> Client {
    let own_scheme = if connection.tls.is_some() { "https" } else { "http" };
    let mut client = Client { address: peer, scheme: own_scheme, forwarded_for: None, authority: None };
    if !believes {
        return client;
    }
    let hops: Vec<&str> = head
        .fields
        .all("x-forwarded-for")
        .flat_map(list)
        .filter_map(|hop| std::str::from_utf8(hop).ok())
        .collect();
    // SECURITY: from the right, since everything left of the first stranger is that stranger's claim.
    for hop in hops.iter().rev() {
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        client.address = address.to_canonical();
        if !trusted(client.address) {
            break;
        }
    }
    if !hops.is_empty() {
        client.forwarded_for = Some(hops.join(", "));
    }
    if head.fields.get("x-forwarded-proto") == Some(b"https") {
        client.scheme = "https";
    }
    client.authority = head.fields.text("x-forwarded-host").and_then(|host| valid_authority(host).ok());
    client
}

/// `localhost`, and addresses, for which HSTS means nothing anyway (RFC 6797 §8.1.1).
pub(super) fn is_own_machine(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with('[')
        || host.parse::<IpAddr>().is_ok()
}

/// A proxy that is believed may have given the id; everybody else gets a new one.
fn request_id(fields: &Fields, believes: bool, arrived: Instant) -> String {
    let given = fields.text("x-request-id").filter(|id| {
        believes
            && (8..=ID_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    });
    given.map_or_else(|| new_id(arrived), str::to_owned)
}

/// A UUIDv7. Nothing hangs on nobody guessing it, so its randomness costs no system call.
pub(super) fn new_id(arrived: Instant) -> String {
    let ms = u64::try_from(clock::wall(arrived) / 1000).unwrap_or(0);
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    let id = uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid();
    id.hyphenated().encode_lower(&mut [0; 36]).to_owned()
}

/// W3C Trace Context: carried on when well-formed. Where traces are told, we are a span of it, or its start.
fn trace(fields: &Fields) -> (OnceLock<String>, Option<Box<Traced>>) {
    let given = fields.text("traceparent");
    match traces::exporter() {
        Some(exporter) => {
            let (context, parent) = exporter.continue_from(given);
            (context.to_string().into(), Some(Box::new(Traced { context, parent })))
        }
        None => {
            let given = given.filter(|value| Context::parse(value).is_some());
            (given.map_or_else(OnceLock::new, |given| given.to_owned().into()), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use irongate_shared::config::Network;

    use super::*;

    fn seen(trusted: &[&str], peer: &str, forwarded: &str) -> String {
        let networks: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let trusted = |address: IpAddr| networks.iter().any(|network| network.contains(address));
        let mut fields = Fields::default();
        fields.push("x-forwarded-for", forwarded);
        let head = RequestHead {
            method: http::Method::GET,
            target: "/".into(),
            authority: "a".into(),
            version: crate::wire::request::Version::Http11,
            fields,
            framing: crate::wire::Framing::None,
            extended_connect: false,
        };
        let peer: IpAddr = peer.parse().unwrap();
        let connection = Connection::new((peer, 1).into(), None);
        client(&head, &connection, peer, trusted(peer), &trusted).address.to_string()
    }

    #[test]
    fn only_configured_proxies_are_believed() {
        assert_eq!(seen(&[], "9.9.9.9", "1.1.1.1"), "9.9.9.9");
        assert_eq!(seen(&["10.0.0.0/8"], "10.0.0.1", "1.1.1.1"), "1.1.1.1");
        assert_eq!(seen(&["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2"), "1.1.1.1");
        assert_eq!(seen(&["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, nonsense"), "10.0.0.1");
    }

    #[test]
    fn new_ids_are_well_formed_and_never_the_same() {
        let (first, second) = (new_id(Instant::now()), new_id(Instant::now()));
        assert_ne!(first, second);
        assert_eq!(uuid::Uuid::parse_str(&first).unwrap().get_version_num(), 7);
    }
}
