//! Which server a request on the full lane goes to, and which one after that.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pingora::upstreams::peer::{ALPN, HttpPeer};

use crate::{
    exchange::Try,
    fault::{Fault, UpstreamFault},
    upstream::{Address, Lease, Pool, PoolSettings},
};

/// Who is asked, and who was asked in vain.
pub(super) struct Choice {
    pub(super) pool: Arc<Pool>,
    pub(super) key: Option<u64>,
    /// Whether the request may be sent again although a server may have read it.
    pub(super) repeatable: bool,
    pub(super) answer_timeout: Option<Duration>,
    pub(super) lease: Option<Lease>,
    pub(super) began: Instant,
    pub(super) tried: Vec<Arc<str>>,
    /// What the last one said.
    pub(super) fault: Option<Fault>,
}

impl Choice {
    /// The server to ask: another one than those that were tried.
    pub(super) fn server(&mut self) -> Result<(HttpPeer, Arc<str>), Fault> {
        let lease = match self.lease.take() {
            Some(lease) => lease,
            None => match self.pool.try_lease(self.key, &self.tried) {
                Ok(lease) => lease,
                // Every server was tried and failed: what the last one said is the better answer.
                Err(fault) => return Err(self.fault.take().unwrap_or(fault.into())),
            },
        };
        self.fault = None;
        self.began = Instant::now();
        let peer = peer(&lease.server.address, &self.pool.settings(), self.answer_timeout)?;
        Ok((peer, self.lease.insert(lease).server.name.clone()))
    }

    /// The server did not answer: it counts, and is not asked again.
    pub(super) fn failed(&mut self, fault: &UpstreamFault) -> Option<Try> {
        let lease = self.lease.take()?;
        self.pool.failed(&lease.server, fault);
        self.tried.push(lease.server.name.clone());
        let fault = Fault::from(fault.clone());
        let over = self.over(&lease, Err(fault.name()));
        self.fault = Some(fault);
        Some(over)
    }

    pub(super) fn over(&self, lease: &Lease, outcome: Result<u16, &'static str>) -> Try {
        Try { server: lease.server.name.clone(), began: self.began, ended: Instant::now(), outcome }
    }

    pub(super) fn may_retry(&self) -> bool {
        self.tried.len() < self.pool.settings().raw.retry.attempts as usize && self.pool.budget.try_retry()
    }
}

fn peer(
    address: &Address,
    settings: &PoolSettings,
    answer_timeout: Option<Duration>,
) -> Result<HttpPeer, Fault> {
    let raw = &settings.raw;
    let is_tls = raw.protocol.is_tls();
    let name = raw.tls_name.clone().unwrap_or_default();
    let mut peer = match address {
        Address::Tcp(address) => HttpPeer::new(*address, is_tls, name),
        Address::Unix(path) => HttpPeer::new_uds(&path.display().to_string(), is_tls, name)
            .map_err(|error| UpstreamFault::Refused(error.to_string()))?,
    };
    let options = &mut peer.options;
    options.alpn = ALPN::H2;
    options.ca.clone_from(&settings.tls_root);
    options.connection_timeout = Some(raw.connect_timeout.get());
    options.total_connection_timeout = Some(raw.connect_timeout.get() * 2);
    options.read_timeout = Some(answer_timeout.unwrap_or(raw.answer_timeout.get()));
    options.write_timeout = options.read_timeout;
    options.idle_timeout = Some(raw.idle_timeout.get());
    // Pingora's default is one stream per connection: no multiplexing.
    options.max_h2_streams = 100;
    Ok(peer)
}
