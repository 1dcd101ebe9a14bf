//! The way to a server, which can be slow, or fork.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Carries bytes to a server and back, each piece of the way back after a delay. To several servers it is what a TCP
/// balancer is.
pub(crate) struct Road {
    address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
    /// Ends with this.
    _carriers: JoinSet<()>,
}

impl Road {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        Self::to_each(&[server]).await
    }

    /// To these in turn, past those that take no connection.
    pub(crate) async fn to_each(servers: &[SocketAddr]) -> Self {
        let mut servers = servers.to_vec();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let delay_ms = Arc::new(AtomicU64::new(0));
        let mut carriers = JoinSet::new();
        let delay = Arc::clone(&delay_ms);
        carriers.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, servers.clone(), Arc::clone(&delay)));
                servers.rotate_left(1);
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, delay_ms, _carriers: carriers }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the next piece on.
    pub(crate) fn delays(&self, delay: Duration) {
        self.delay_ms.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

async fn carry(client: TcpStream, servers: Vec<SocketAddr>, delay_ms: Arc<AtomicU64>) {
    let mut server = None;
    for address in servers {
        server = TcpStream::connect(address).await.ok();
        if server.is_some() {
            break;
        }
    }
    let Some(server) = server else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let back = async {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(size @ 1..) = from_server.read(&mut piece).await {
            tokio::time::sleep(Duration::from_millis(delay_ms.load(Ordering::SeqCst))).await;
            if to_client.write_all(&piece[..size]).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
    };
    tokio::join!(there, back);
}
