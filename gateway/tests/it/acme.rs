//! Certificates from an ACME authority that the test plays: it visits the plain port for the proof and signs what it
//! is sent.

use std::sync::{Arc, Mutex};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::support::{Gateway, client, until};

const TOKEN: &str = "a-token-of-the-authority";

struct Authority {
    port: u16,
    /// Where the names it is asked for are reached.
    plain_port: Mutex<u16>,
    tls_port: Mutex<u16>,
    kind: &'static str,
    root_pem: String,
    issuer: Issuer<'static, KeyPair>,
    proof: Mutex<Option<String>>,
    certificate: Mutex<Option<String>>,
}

impl Authority {
    async fn start(kind: &'static str) -> Arc<Self> {
        irongate_shared::install_crypto_provider();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let own_key = KeyPair::generate().unwrap();
        let own =
            CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&own_key, &issuer).unwrap();
        let tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![own.der().clone()],
                PrivateKeyDer::from_pem_slice(own_key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            plain_port: Mutex::new(0),
            tls_port: Mutex::new(0),
            kind,
            root_pem,
            issuer,
            proof: Mutex::default(),
            certificate: Mutex::default(),
        });
        let shared = authority.clone();
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(tls));
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, shared) = (acceptor.clone(), shared.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        shared.converse(stream).await;
                    }
                });
            }
        });
        authority
    }

    async fn converse<S: AsyncReadExt + AsyncWriteExt + Unpin>(&self, mut stream: S) {
        let mut input = Vec::new();
        loop {
            let (path, payload) = loop {
                if let Some(request) = take_request(&mut input) {
                    break request;
                }
                if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
                    return;
                }
            };
            let (status, more, body) = self.answer(&path, &payload).await;
            let answer = format!(
                "HTTP/1.1 {status} x\r\nreplay-nonce: n\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    async fn answer(&self, path: &str, payload: &Value) -> (u16, String, String) {
        let location = |path: &str| format!("location: {}\r\n", self.url(path));
        match path {
            "/directory" => {
                let body = json!({"newNonce": self.url("/nonce"), "newAccount": self.url("/account"), "newOrder": self.url("/orders")});
                (200, String::new(), body.to_string())
            }
            "/nonce" => (200, String::new(), String::new()),
            "/account" => (201, location("/account/1"), json!({"status": "valid"}).to_string()),
            "/orders" => (201, location("/order"), self.order().to_string()),
            "/order" => (200, String::new(), self.order().to_string()),
            "/authorization" => {
                let challenge = json!({"type": self.kind, "url": self.url("/challenge"), "token": TOKEN, "status": "pending"});
                let body = json!({"identifier": {"type": "dns", "value": "app.example"}, "status": "pending", "challenges": [challenge]});
                (200, String::new(), body.to_string())
            }
            "/challenge" => {
                let proof =
                    if self.kind == "http-01" { self.visit_plain().await } else { self.visit_tls().await };
                *self.proof.lock().unwrap() = proof;
                let body = json!({"type": self.kind, "url": self.url("/challenge"), "token": TOKEN, "status": "processing"});
                (200, String::new(), body.to_string())
            }
            "/finalize" => {
                let request = BASE64_URL_SAFE_NO_PAD.decode(payload["csr"].as_str().unwrap()).unwrap();
                let request = CertificateSigningRequestParams::from_der(&request.into()).unwrap();
                let certificate = request.signed_by(&self.issuer).unwrap();
                *self.certificate.lock().unwrap() = Some(format!("{}{}", certificate.pem(), self.root_pem));
                (200, String::new(), self.order().to_string())
            }
            "/certificate" => (200, String::new(), self.certificate.lock().unwrap().clone().unwrap()),
            other => panic!("the authority was asked for {other}"),
        }
    }

    async fn visit_plain(&self) -> Option<String> {
        let port = *self.plain_port.lock().unwrap();
        let request = format!(
            "GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n\r\n"
        );
        let answer = client::raw_plain(port, &request).await.unwrap();
        let proof = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        let good = answer.starts_with("HTTP/1.1 200 ") && proof.starts_with(&format!("{TOKEN}."));
        good.then_some(proof)
    }

    /// RFC 8737: a handshake in its own protocol, and a certificate with the proof in it.
    async fn visit_tls(&self) -> Option<String> {
        let port = *self.tls_port.lock().unwrap();
        let mut config = ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = ServerName::try_from("app.example").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.alpn_protocol(), Some(&b"acme-tls/1"[..]));
        let certificate = session.peer_certificates().unwrap()[0].clone();
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        let proof = parsed.extensions().iter().find(|one| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.31")?;
        // OCTET STRING of 32 bytes.
        (proof.critical && proof.value.len() == 34).then(|| hex::encode(proof.value))
    }

    fn order(&self) -> Value {
        let status = match (self.proof.lock().unwrap().is_some(), self.certificate.lock().unwrap().is_some())
        {
            (false, _) => "pending",
            (true, false) => "ready",
            (true, true) => "valid",
        };
        json!({
            "status": status,
            "identifiers": [{"type": "dns", "value": "app.example"}],
            "authorizations": [self.url("/authorization")],
            "finalize": self.url("/finalize"),
            "certificate": (status == "valid").then(|| self.url("/certificate")),
        })
    }
}

/// Path and signed payload of a request that is complete in `input`.
fn take_request(input: &mut Vec<u8>) -> Option<(String, Value)> {
    let text = String::from_utf8_lossy(input).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ").and_then(|length| length.parse().ok())
        })
        .unwrap_or(0);
    if body.len() < length {
        return None;
    }
    input.drain(..head.len() + 4 + length);
    let signed: Value = serde_json::from_str(&body[..length]).unwrap_or_default();
    let payload = signed["payload"].as_str().and_then(|payload| BASE64_URL_SAFE_NO_PAD.decode(payload).ok());
    let payload = payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or_default();
    Some((head.split(' ').nth(1)?.to_owned(), payload))
}

/// The authority looks at the proof, not at who signed it.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519]
    }
}

async fn obtains_a_certificate(kind: &'static str) -> (Arc<Authority>, Gateway) {
    let authority = Authority::start(kind).await;
    let gateway = Gateway::configured("").await;
    *authority.plain_port.lock().unwrap() = gateway.http;
    *authority.tls_port.lock().unwrap() = gateway.https;
    std::fs::write(gateway.path("root.pem"), &authority.root_pem).unwrap();
    gateway.write_config(&format!(
        "[tls]\nmode = \"acme\"\nhosts = [\"app.example\"]\n\
         acme = {{ directory = {:?}, agree_to_terms = true, root = \"root.pem\", challenge = \"{kind}\" }}\n",
        authority.url("/directory")
    ));
    until("the certificate", || async { gateway.state().await["certificate"]["mode"] == "acme" }).await;
    assert!(authority.proof.lock().unwrap().is_some());

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.root_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", gateway.https)).await.unwrap();
    let name = ServerName::try_from("app.example").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("the authority's certificate");
    (authority, gateway)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_ordered_proven_over_http_and_put_in_force() {
    let (_authority, gateway) = obtains_a_certificate("http-01").await;
    // Afterwards the proof is gone, and everything else on the plain port leads to HTTPS as ever.
    let request = format!(
        "GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(client::status(&client::raw_plain(gateway.http, &request).await.unwrap()), 308);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_ordered_proven_over_tls_and_put_in_force() {
    obtains_a_certificate("tls-alpn-01").await;
}
