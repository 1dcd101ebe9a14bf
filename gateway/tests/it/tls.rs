//! Certificates, protocols, resumption.

use std::{fs, sync::Arc, time::Duration};

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
    Authority, Gateway,
    client::{connect, connect_with, raw, read_answer, status},
    until,
};

const GET: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";

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

/// A `ClientHello` by hand, for what rustls as a client does not do.
fn hello(version: [u8; 2], ciphers: &[[u8; 2]], name: Option<&[u8]>) -> Vec<u8> {
    let with_length = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let extension = |kind: u8, content: Vec<u8>| [&[0, kind][..], &with_length(&content)].concat();
    let mut extensions = Vec::new();
    if let Some(name) = name {
        extensions.extend(extension(0, with_length(&[&[0][..], &with_length(name)].concat())));
    }
    // Groups x25519 and secp256r1, uncompressed points, signatures by ECDSA and RSA.
    extensions.extend(extension(10, with_length(&[0, 29, 0, 23])));
    extensions.extend(extension(11, vec![1, 0]));
    extensions.extend(extension(13, with_length(&[4, 3, 5, 3, 8, 4, 4, 1])));
    let mut body = version.to_vec();
    body.extend_from_slice(&[7; 32]);
    body.push(0);
    body.extend(with_length(&ciphers.concat()));
    body.extend_from_slice(&[1, 0]);
    body.extend(with_length(&extensions));
    let handshake = [&[1, 0][..], &with_length(&body)].concat();
    [&[22, 3, 1][..], &with_length(&handshake)].concat()
}

/// How the gateway takes a hello: 22 goes on with the handshake, 21 is an alert, 0 the end.
async fn taken(gateway: &Gateway, hello: &[u8]) -> u8 {
    let mut tcp = TcpStream::connect(("127.0.0.1", gateway.https)).await.unwrap();
    tcp.write_all(hello).await.unwrap();
    let mut first = [0];
    let read = tokio::time::timeout(Duration::from_secs(20), tcp.read(&mut first)).await.expect("an answer");
    if matches!(read, Ok(1)) { first[0] } else { 0 }
}

const GOOD: [u8; 2] = [0xc0, 0x2b];

#[tokio::test]
async fn old_protocols_and_weak_ciphers_are_not_spoken() {
    let gateway = Gateway::configured("").await;
    assert_eq!(
        taken(&gateway, &hello([3, 3], &[GOOD], Some(b"localhost"))).await,
        22,
        "TLS 1.2 with AES-GCM"
    );
    for old in [[3, 0], [3, 1], [3, 2]] {
        assert_ne!(taken(&gateway, &hello(old, &[GOOD], Some(b"localhost"))).await, 22, "{old:?}");
    }
    for (what, weak) in [
        ("RSA key exchange", [0x00, 0x9c]),
        ("CBC", [0xc0, 0x09]),
        ("CBC with SHA-256", [0xc0, 0x23]),
        ("3DES", [0xc0, 0x08]),
        ("RC4", [0xc0, 0x07]),
        ("no encryption", [0xc0, 0x06]),
        ("anonymous", [0xc0, 0x18]),
        ("finite-field Diffie-Hellman", [0x00, 0x9e]),
    ] {
        assert_ne!(taken(&gateway, &hello([3, 3], &[weak], Some(b"localhost"))).await, 22, "{what}");
    }
}

#[tokio::test]
async fn no_name_gets_the_first_certificate_and_a_broken_one_an_alert() {
    irongate_shared::install_crypto_provider();
    let authority = Authority::new();
    let (one, two) =
        (authority.issue(&["one.example"], 30), authority.issue(&["127.0.0.1", "two.example"], 30));
    let gateway = with_files(&[("one", one.clone()), ("two", two)]).await;
    let leaf = CertificateDer::from_pem_slice(one.0.as_bytes()).unwrap().to_vec();
    let mut nameless = authority.client();
    nameless.enable_sni = false;
    assert_eq!(certificate_for(&gateway, &nameless, "one.example").await, leaf);
    for name in [&b"stranger.example"[..], b"ONE.EXAMPLE", b"*", &[b'a'; 300]] {
        let taken = taken(&gateway, &hello([3, 3], &[GOOD], Some(name))).await;
        assert!(matches!(taken, 22 | 21), "{}: {taken}", String::from_utf8_lossy(name));
    }
    for broken in [&b""[..], b"a b", b"a\0b", b"a..b", b"\xff\xfe", b"-.example"] {
        let taken = taken(&gateway, &hello([3, 3], &[GOOD], Some(broken))).await;
        assert!(matches!(taken, 22 | 21 | 0), "{broken:?}: {taken}");
    }
    assert_eq!(certificate_for(&gateway, &nameless, "one.example").await, leaf, "nobody was harmed");
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
