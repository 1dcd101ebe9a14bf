//! Free ports on loopback.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range from which Linux takes the ports of outgoing connections (32768 up): a port found free here
/// is not taken by some client's connection before the server under test binds it.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// A loopback port that is free and that this process has not handed out before.
///
/// For a server that cannot bind port 0 and say what it got. Test processes that run at the same time start
/// their search at different places.
///
/// # Panics
///
/// When every port of the range is taken.
pub fn free_port() -> u16 {
    static HANDED_OUT: AtomicU32 = AtomicU32::new(0);

    // A prime spreads neighbouring process ids over the range.
    let start = std::process::id().wrapping_mul(7_919) % COUNT;
    loop {
        let nth = HANDED_OUT.fetch_add(1, Ordering::Relaxed);
        assert!(nth < COUNT, "no free port between {FIRST} and {}", FIRST + COUNT);
        let port = u16::try_from(FIRST + (start + nth) % COUNT).expect("the range ends below 65536");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_handed_out_once() {
        let ports: std::collections::HashSet<u16> = (0..50).map(|_| free_port()).collect();

        assert_eq!(ports.len(), 50);
    }
}
