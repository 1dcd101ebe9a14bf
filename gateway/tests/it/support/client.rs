//! Clients that send exactly the bytes a test wants.

use std::{io, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::Gateway;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn tls_config(gateway: &Gateway, alpn: &[&[u8]]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&gateway.authority()).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

pub(crate) async fn connect(gateway: &Gateway, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
    connect_with(gateway, tls_config(gateway, alpn)).await.unwrap()
}

pub(crate) async fn connect_with(
    gateway: &Gateway,
    config: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(("127.0.0.1", gateway.https)).await?;
    tcp.set_nodelay(true)?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), tcp).await
}

/// An HTTP/2 connection, once the gateway has said what it offers; driven until the test ends.
pub(crate) async fn http2(gateway: &Gateway) -> h2::client::SendRequest<bytes::Bytes> {
    let stream = connect(gateway, &[b"h2"]).await;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    // The settings come with the first answer at the latest.
    let health = http::Request::get(gateway.url("/health/live")).body(()).unwrap();
    assert_eq!(client.send_request(health, true).unwrap().0.await.unwrap().status(), 200);
    client
}

/// Sends `request` over TLS and gives everything that comes until the server closes.
pub(crate) async fn raw(gateway: &Gateway, request: impl AsRef<[u8]>) -> String {
    let mut stream = connect(gateway, &[b"http/1.1"]).await;
    stream.write_all(request.as_ref()).await.unwrap();
    stream.flush().await.unwrap();
    read_to_close(&mut stream).await
}

pub(crate) async fn raw_plain(port: u16, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request.as_bytes()).await?;
    Ok(read_to_close(&mut stream).await)
}

/// Everything until the end; an end without a TLS goodbye counts as one.
pub(crate) async fn read_to_close<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut answer = Vec::new();
    let reading = async {
        let mut piece = [0; 4096];
        while let Ok(size) = stream.read(&mut piece).await {
            if size == 0 {
                break;
            }
            answer.extend_from_slice(&piece[..size]);
        }
    };
    if timeout(PATIENCE, reading).await.is_err() {
        panic!("the connection stayed open after: {}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one answer that says where it ends, leaving the connection open.
pub(crate) async fn read_answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> String {
    let mut answer = Vec::new();
    let reading = async {
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_ascii_lowercase();
                let is_chunked = head.contains("transfer-encoding: chunked");
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .and_then(|length| length.parse().ok())
                    .unwrap_or(0);
                if body.len() >= length && (!is_chunked || body.ends_with("0\r\n\r\n")) {
                    return;
                }
            }
            let mut piece = [0; 4096];
            let size = stream.read(&mut piece).await.expect("an answer");
            assert!(size > 0, "closed after: {text}");
            answer.extend_from_slice(&piece[..size]);
        }
    };
    timeout(PATIENCE, reading).await.expect("an answer in time");
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
