//! Gateways and services for tests.

pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod gateway;
pub(crate) mod http2;
pub(crate) mod load;
pub(crate) mod names;
pub(crate) mod nginx;
pub(crate) mod service;
pub(crate) mod stage;

use std::{future::Future, time::Duration};

pub(crate) use authority::Authority;
pub(crate) use gateway::Gateway;
pub(crate) use http2::Http2Service;
pub(crate) use irongate_test_servers::free_port;
pub(crate) use load::Load;
pub(crate) use names::{Dnsmasq, NAME, NameServer};
pub(crate) use nginx::Nginx;
pub(crate) use service::Service;
pub(crate) use stage::{LANES, Stage};

pub(crate) async fn until_listening(port: u16) {
    until(&format!("port {port} to take connections"), || async move {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
}

/// Waits for a condition, and says what it waited for when it does not come.
pub(crate) async fn until<F, A>(what: &str, mut condition: F)
where
    F: FnMut() -> A,
    A: Future<Output = bool>,
{
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(30), waiting).await.is_err() {
        panic!("waited in vain for: {what}");
    }
}
