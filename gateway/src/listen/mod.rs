//! Connections: taken by Pingora's listeners (which also hand them over at an upgrade), counted, and under TLS
//! brought through the handshake by us.

pub(crate) mod caps;
pub(crate) mod drain;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use pingora::{
    apps::ServerApp,
    listeners::{L4BufferSettings, ListenerConfig},
    protocols::{GetSocketDigest, Stream, l4::stream::Stream as TcpStream},
    server::ShutdownWatch,
    services::listening::Service,
};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::{
    edge::{self, Door},
    exchange::{Connection, TlsSession, read_ahead::ReadAhead, socket::Socket},
    gateway::Gateway,
    guard::{addresses::counted, rate::RateLimit},
    tls::acme::PROOF_PROTOCOL,
};

/// How long the first listeners wait for the upstreams' first health checks.
const FIRST_PASS: Duration = Duration::from_millis(1500);

/// What Pingora hands the connections of one door to.
pub(crate) struct Entrance {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) door: Door,
}

/// A Pingora service that listens on `addresses`.
pub(crate) fn service(
    gateway: &Arc<Gateway>,
    door: Door,
    addresses: &[String],
    threads: usize,
) -> Service<Entrance> {
    let name = match door {
        Door::Redirect => "http",
        Door::Plain => "plain",
        Door::Secure => "https",
        Door::Admin => "admin",
    };
    let mut service = Service::new(name.to_owned(), Entrance { gateway: gateway.clone(), door });
    service.threads = Some(threads);
    for address in addresses {
        // Our own buffers are larger and given back when idle; Pingora's would stay for life.
        service.add_listener(ListenerConfig::tcp(address).l4_buffer(L4BufferSettings::new(0, 0)));
    }
    service
}

#[async_trait]
impl ServerApp for Entrance {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        // Pingora's task has room for handshakes of its own: an idle connection would hold nearly 9 KiB for them.
        let (entrance, shutdown) = (Arc::clone(self), shutdown.clone());
        tokio::spawn(async move { entrance.admit(stream, &shutdown).await });
        None
    }
}

impl Entrance {
    /// Serves one connection to its end; `None` when it does not come so far.
    async fn admit(&self, stream: Stream, shutdown: &ShutdownWatch) -> Option<()> {
        let tcp = stream.into_any().downcast::<TcpStream>().ok()?;
        let gateway = &self.gateway;
        // The address is asked for once per connection: it is a system call.
        let digest = tcp.get_socket_digest()?;
        let peer = *digest.peer_addr()?.as_inet()?;
        let limits = &gateway.snapshot().settings.limits;
        let per_second = limits.handshakes_per_address.max(1);
        let handshakes = RateLimit { per_second, burst: per_second };
        let address = counted(peer.ip());
        if !gateway.handshakes.admit(address, handshakes, Instant::now()).allowed {
            return None;
        }
        let _place = gateway.caps.admit(address, limits)?;
        let _open = gateway.observe.connection_opened();
        gateway.registry.first_pass(FIRST_PASS).await;

        let is_tls = self.door == Door::Secure;
        let (socket, tls) = if is_tls {
            let (config, limit) = (gateway.certificates.server_config(), limits.head_timeout.get());
            // A handshake that is not done in time, or fails, is no event worth a line by default.
            match Box::pin(timeout(limit, TlsAcceptor::from(config).accept(ReadAhead::new(tcp)))).await {
                // The handshake was all the authority wanted.
                Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(PROOF_PROTOCOL) => return None,
                Ok(Ok(stream)) => {
                    let session = session(stream.get_ref().1);
                    (Socket::tls(stream), Some(session))
                }
                Ok(Err(error)) => {
                    tracing::debug!(%peer, %error, "TLS handshake failed");
                    return None;
                }
                Err(_) => {
                    tracing::debug!(%peer, "TLS handshake timed out");
                    return None;
                }
            }
        } else {
            (Socket::plain(tcp), None)
        };
        let http2 = socket.speaks_http2();
        let connection = Arc::new(Connection::new(peer, tls));
        if http2 {
            Box::pin(edge::h2::run(gateway, self.door, socket, connection, shutdown)).await;
        } else {
            edge::h1::run(gateway, self.door, socket, connection, shutdown).await;
        }
        Some(())
    }
}

fn session(tls: &rustls::ServerConnection) -> TlsSession {
    let version = match tls.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "unknown",
    };
    TlsSession {
        version,
        resumed: matches!(tls.handshake_kind(), Some(rustls::HandshakeKind::Resumed)),
        client_subject: tls.peer_certificates().and_then(|chain| crate::tls::subject_of(chain.first()?)),
    }
}

/// Says at once which address is taken: Pingora would try for half a minute without a word.
pub(crate) fn can_be_bound(settings: &crate::config::Settings) -> anyhow::Result<()> {
    let listen = &settings.listen;
    let all = listen.http.iter().chain(&listen.https).chain(&listen.plain).chain(&settings.admin.listen);
    for address in all {
        let parsed: std::net::SocketAddr = address.parse()?;
        let socket = socket2::Socket::new(socket2::Domain::for_address(parsed), socket2::Type::STREAM, None)?;
        // As Pingora does, so that a port in TIME_WAIT is no obstacle.
        socket.set_reuse_address(true)?;
        socket.bind(&parsed.into()).map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => anyhow::anyhow!("{address} is taken by another program"),
            _ => anyhow::anyhow!("{address} cannot be listened on: {error}"),
        })?;
    }
    Ok(())
}
