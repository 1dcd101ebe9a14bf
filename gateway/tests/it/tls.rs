//! Certificates, protocols, resumption.

use std::{fs, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::support::{
    Gateway,
    client::{connect, connect_with, raw, read_answer, status},
    until,
};

const GET: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// An authority of the test's own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key for these names, valid for so many days from now (negative: expired).
    fn issue(&self, names: &[&str], days: i64) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now - time::Duration::days(30);
        params.not_after = now + time::Duration::days(days);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (format!("{}{}", certificate.pem(), self.pem), key.serialize_pem())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }

    fn client(&self) -> ClientConfig {
        ClientConfig::builder().with_root_certificates(self.roots()).with_no_client_auth()
    }
}

/// The serial-like identity of the certificate that answers this name.
async fn certificate_for(gateway: &Gateway, config: &ClientConfig, name: &str) -> Vec<u8> {
    let tcp = TcpStream::connect(("127.0.0.1", gateway.https)).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config.clone())).connect(name, tcp).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn with_files(pairs: &[(&str, (String, String))]) -> Gateway {
    let gateway = Gateway::configured("").await;
    for (name, (chain, key)) in pairs {
        fs::write(gateway.path(&format!("{name}.pem")), chain).unwrap();
        fs::write(gateway.path(&format!("{name}.key")), key).unwrap();
    }
    let list: Vec<String> =
        pairs.iter().map(|(name, _)| format!("{{ chain = \"{name}.pem\", key = \"{name}.key\" }}")).collect();
    gateway.write_config(&format!("[tls]\nmode = \"files\"\ncertificate = [{}]\n", list.join(", ")));
    until("the certificates", || async { gateway.state().await["certificate"]["mode"] == "files" }).await;
    gateway
}

#[tokio::test]
async fn sni_picks_the_certificate_and_unknown_names_get_the_first() {
    irongate_shared::install_crypto_provider();
    let authority = Authority::new();
    let (one, two) =
        (authority.issue(&["one.example"], 30), authority.issue(&["two.example", "*.wild.example"], 30));
    let leaf = |pair: &(String, String)| CertificateDer::from_pem_slice(pair.0.as_bytes()).unwrap().to_vec();
    let gateway = with_files(&[("one", one.clone()), ("two", two.clone())]).await;
    let config = authority.client();
    assert_eq!(certificate_for(&gateway, &config, "one.example").await, leaf(&one));
    assert_eq!(certificate_for(&gateway, &config, "two.example").await, leaf(&two));
    assert_eq!(certificate_for(&gateway, &config, "a.wild.example").await, leaf(&two));
    // An unknown name is answered, by a certificate that the client can refuse.
    let tcp = TcpStream::connect(("127.0.0.1", gateway.https)).await.unwrap();
    let unknown =
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("other.example").unwrap(), tcp);
    assert!(unknown.await.unwrap_err().to_string().contains("not valid for name"));
}

#[tokio::test]
async fn changed_files_are_taken_and_broken_ones_refused() {
    irongate_shared::install_crypto_provider();
    let authority = Authority::new();
    let first = authority.issue(&["one.example"], 30);
    let gateway = with_files(&[("one", first.clone())]).await;
    let config = authority.client();
    let leaf = |pair: &(String, String)| CertificateDer::from_pem_slice(pair.0.as_bytes()).unwrap().to_vec();

    let expired = authority.issue(&["one.example"], -1);
    let other_key = authority.issue(&["one.example"], 30).1;
    for (chain, key, complaint) in [
        (expired.0.as_str(), expired.1.as_str(), "expired"),
        (first.0.as_str(), other_key.as_str(), "does not fit"),
        ("rubbish", first.1.as_str(), "no certificate"),
    ] {
        fs::write(gateway.path("one.key"), key).unwrap();
        fs::write(gateway.path("one.pem"), chain).unwrap();
        until(complaint, || async {
            let state = gateway.state().await;
            state["config"]["last_error"]["message"]
                .as_str()
                .is_some_and(|message| message.contains(complaint))
        })
        .await;
        assert_eq!(
            certificate_for(&gateway, &config, "one.example").await,
            leaf(&first),
            "the old one stays"
        );
    }
    let second = authority.issue(&["one.example"], 60);
    fs::write(gateway.path("one.key"), &second.1).unwrap();
    fs::write(gateway.path("one.pem"), &second.0).unwrap();
    until("the new certificate", || async {
        certificate_for(&gateway, &config, "one.example").await == leaf(&second)
    })
    .await;
}

#[tokio::test]
async fn sessions_resume_also_after_a_reload() {
    let gateway = Gateway::configured("").await;
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12][..]] {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&gateway.authority()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots)
            .with_no_client_auth();
        let kind = async |config: &ClientConfig| {
            let mut stream = connect_with(&gateway, config.clone()).await.unwrap();
            stream.write_all(GET).await.unwrap();
            // Tickets come with the first bytes.
            read_answer(&mut stream).await;
            stream.get_ref().1.handshake_kind().unwrap()
        };
        assert_ne!(kind(&config).await, HandshakeKind::Resumed);
        assert_eq!(kind(&config).await, HandshakeKind::Resumed);
        assert_eq!(gateway.admin_call(reqwest::Method::POST, "reload").await.status(), 200);
        assert_eq!(kind(&config).await, HandshakeKind::Resumed, "{versions:?}");
    }
}

#[tokio::test]
async fn sessions_resume_after_a_restart_and_at_a_replica_that_shares_the_keys() {
    let mut gateway = Gateway::configured("").await;
    let keys = gateway.path("data/tls/tickets");
    let replica = Gateway::configured(&format!("[tls]\nticket_keys = {keys:?}\n")).await;
    let stranger = Gateway::configured("").await;
    // Nobody but the first one is trusted: the others are talked to in a resumed session or not at all.
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&gateway.authority()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let kind = async |gateway: &Gateway| {
        let mut stream = connect_with(gateway, config.clone()).await.ok()?;
        stream.write_all(GET).await.unwrap();
        read_answer(&mut stream).await;
        stream.get_ref().1.handshake_kind()
    };
    assert_eq!(kind(&gateway).await, Some(HandshakeKind::Full));
    gateway.restart().await;
    assert_eq!(kind(&gateway).await, Some(HandshakeKind::Resumed));
    assert_eq!(kind(&replica).await, Some(HandshakeKind::Resumed));
    assert_eq!(kind(&stranger).await, None);
}

#[tokio::test]
async fn client_certificates_are_asked_for_checked_and_passed_on() {
    irongate_shared::install_crypto_provider();
    let authority = Authority::new();
    let stranger = Authority::new();
    let gateway = Gateway::configured("").await;
    fs::write(gateway.path("clients.pem"), &authority.pem).unwrap();
    gateway.write_config("[tls]\nclient_authorities = \"clients.pem\"\n");
    until("the reload", || async { gateway.state().await["config"]["version"] == 2 }).await;
    let ask = async |certificate: Option<(String, String)>| {
        let builder = ClientConfig::builder().with_root_certificates({
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(&gateway.authority()).unwrap()).unwrap();
            roots
        });
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(
                    CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect(),
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        let Ok(mut stream) = connect_with(&gateway, config.clone()).await else { return false };
        let mut answer = [0; 12];
        let done = stream.write_all(GET).await.is_ok() && stream.read_exact(&mut answer).await.is_ok();
        done && answer.starts_with(b"HTTP/1.1 200")
    };
    assert!(ask(Some(authority.issue(&["ann"], 30))).await);
    assert!(!ask(None).await, "without a certificate");
    assert!(!ask(Some(stranger.issue(&["eve"], 30))).await, "of a stranger");
    assert!(!ask(Some(authority.issue(&["old"], -1))).await, "expired");
}

#[tokio::test]
async fn old_protocols_are_not_spoken() {
    let gateway = Gateway::configured("").await;
    // ClientHello of TLS 1.1, by hand: rustls cannot speak it any more.
    let mut tcp = TcpStream::connect(("127.0.0.1", gateway.https)).await.unwrap();
    let mut body = vec![1, 0, 0, 43, 3, 2];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0, 0, 4, 0xc0, 0x13, 0, 0x2f, 1, 0]);
    let mut hello = vec![22, 3, 1, 0, body.len() as u8];
    hello.extend(body);
    tcp.write_all(&hello).await.unwrap();
    let mut answer = [0; 64];
    let size = tokio::time::timeout(Duration::from_secs(5), tcp.read(&mut answer)).await.unwrap().unwrap();
    assert!(size == 0 || answer[0] == 21, "an alert or the end: {:?}", &answer[..size]);
}

#[tokio::test]
async fn handshakes_that_stall_are_ended() {
    let gateway = Gateway::configured("[limits]\nhead_timeout = \"1s\"\n").await;
    let mut tcp = TcpStream::connect(("127.0.0.1", gateway.https)).await.unwrap();
    tcp.write_all(&[22, 3, 1]).await.unwrap();
    let mut byte = [0; 1];
    let ended = tokio::time::timeout(Duration::from_secs(5), tcp.read(&mut byte)).await.expect("an end");
    assert!(matches!(ended, Ok(0) | Err(_)));
}

#[tokio::test]
async fn the_authority_survives_a_restart_and_both_protocols_are_offered() {
    let mut gateway = Gateway::configured("").await;
    let authority = gateway.authority();
    let answer = raw(&gateway, "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&answer), 200);
    for (offered, chosen) in [
        (&[&b"h2"[..], b"http/1.1"][..], Some(&b"h2"[..])),
        (&[&b"http/1.1"[..]][..], Some(b"http/1.1")),
        (&[][..], None),
    ] {
        let stream = connect(&gateway, offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
    }
    gateway.restart().await;
    assert_eq!(gateway.authority(), authority);
    connect(&gateway, &[b"h2"]).await;
}
