//! Certificates from an ACME authority (RFC 8555), proven over HTTP-01 or TLS-ALPN-01 (RFC 8737).
//!
//! The order runs beside the requests. Until the first certificate is there the self-signed one answers, so that
//! the listeners are up for the authority's own visit.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder,
    OrderStatus, RetryPolicy,
};
use jiff::Timestamp;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::{crypto::aws_lc_rs::default_provider, pki_types::PrivateKeyDer, sign::CertifiedKey};

use super::{TlsError, authority::write_private, files, names_of};
use crate::config::{Acme, AcmeChallenge, Tls};

/// Where the authority asks for the proof.
pub(crate) const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/";
const ORDER_LIMIT: Duration = Duration::from_secs(180);

/// The protocol in which the authority reads a TLS-ALPN-01 proof.
pub(crate) const PROOF_PROTOCOL: &[u8] = b"acme-tls/1";

/// Proofs that the authority may come and read.
#[derive(Debug, Default)]
pub(crate) struct Challenges(Mutex<Proofs>);

#[derive(Clone, Debug, Default)]
struct Proofs {
    /// HTTP-01, by token.
    texts: HashMap<String, String>,
    /// TLS-ALPN-01, by name.
    certificates: HashMap<String, Arc<CertifiedKey>>,
}

impl Challenges {
    pub(crate) fn proof(&self, token: &str) -> Option<String> {
        self.lock().texts.get(token).cloned()
    }

    pub(super) fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.lock().certificates.get(name).cloned()
    }

    fn set(&self, proofs: Proofs) {
        *self.lock() = proofs;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Proofs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AcmeError {
    #[error("the ACME authority: {0}")]
    Authority(#[from] instant_acme::Error),
    #[error("the ACME authority does not offer the configured challenge for {0}")]
    NoChallenge(String),
    #[error("the ACME authority did not accept the proof: the order is {0:?}")]
    NotReady(OrderStatus),
    #[error("the ACME authority took longer than {} s", ORDER_LIMIT.as_secs())]
    TooSlow,
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the account file cannot be read: {0}")]
    Account(#[from] serde_json::Error),
}

fn directory(data: &Path) -> PathBuf {
    data.join("tls").join("acme")
}

/// The certificate on disk, when it is valid and for these hosts.
pub(super) fn stored(settings: &Tls, data: &Path) -> Option<CertifiedKey> {
    let directory = directory(data);
    let known = files::certified(&directory.join("chain.pem"), &directory.join("key.pem")).ok()?;
    let names = names_of(known.cert.first()?);
    settings.hosts.iter().all(|host| names.contains(&host.to_ascii_lowercase())).then_some(known)
}

/// Whether an order is due: there is no certificate, or a third of its life is left.
pub(crate) fn is_due(settings: &Tls, data: &Path) -> bool {
    let Some(known) = stored(settings, data) else { return true };
    let Some((_, parsed)) =
        known.cert.first().and_then(|leaf| x509_parser::parse_x509_certificate(leaf).ok())
    else {
        return true;
    };
    let (from, until) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    Timestamp::now().as_second() > until - (until - from) / 3
}

/// Orders a certificate for the configured hosts and stores it.
pub(crate) async fn order(settings: &Tls, data: &Path, challenges: &Challenges) -> Result<(), AcmeError> {
    let done = tokio::time::timeout(ORDER_LIMIT, place_order(settings, data, challenges)).await;
    challenges.set(Proofs::default());
    done.unwrap_or(Err(AcmeError::TooSlow))
}

async fn place_order(settings: &Tls, data: &Path, challenges: &Challenges) -> Result<(), AcmeError> {
    let directory = directory(data);
    fs::create_dir_all(&directory).map_err(|error| TlsError::file(&directory, error))?;
    let account = account(&settings.acme, &directory).await?;
    let identifiers: Vec<Identifier> =
        settings.hosts.iter().map(|host| Identifier::Dns(host.clone())).collect();
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;

    let wanted = match settings.acme.challenge {
        AcmeChallenge::Http01 => ChallengeType::Http01,
        AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
    };
    let mut proofs = Proofs::default();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let mut challenge =
            authorization.challenge(wanted.clone()).ok_or_else(|| AcmeError::NoChallenge(name.clone()))?;
        let proof = challenge.key_authorization();
        match settings.acme.challenge {
            AcmeChallenge::Http01 => {
                proofs.texts.insert(challenge.token.clone(), proof.as_str().to_owned());
            }
            AcmeChallenge::TlsAlpn01 => {
                proofs
                    .certificates
                    .insert(name.to_ascii_lowercase(), proof_certificate(&name, proof.digest().as_ref())?);
            }
        }
        // The proof must be there before the authority is told that it is.
        challenges.set(proofs.clone());
        challenge.set_ready().await?;
    }
    let status = order.poll_ready(&RetryPolicy::default()).await?;
    if status != OrderStatus::Ready {
        return Err(AcmeError::NotReady(status));
    }
    let key = KeyPair::generate().map_err(TlsError::from)?;
    let mut params = CertificateParams::new(settings.hosts.clone()).map_err(TlsError::from)?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).map_err(TlsError::from)?;
    order.finalize_csr(request.der()).await?;
    let chain = order.poll_certificate(&RetryPolicy::default()).await?;
    write_private(&directory.join("key.pem"), key.serialize_pem().as_bytes())?;
    write_private(&directory.join("chain.pem"), chain.as_bytes())?;
    Ok(())
}

/// A certificate that carries the proof (RFC 8737 §3).
fn proof_certificate(name: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, TlsError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())
        .map_err(|error| TlsError::File { path: "the proof's key".into(), cause: error.to_owned() })?;
    let key = default_provider().key_provider.load_private_key(key)?;
    // Not `from_der`, which refuses a certificate with a critical extension that it does not know: this one.
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
}

/// The account of earlier orders, or a new one.
async fn account(settings: &Acme, directory: &Path) -> Result<Account, AcmeError> {
    let builder = || match &settings.root {
        Some(root) => Account::builder_with_root(root),
        None => Account::builder(),
    };
    let file = directory.join("account.json");
    if let Ok(text) = fs::read_to_string(&file) {
        let credentials: AccountCredentials = serde_json::from_str(&text)?;
        return Ok(builder()?.from_credentials(credentials).await?);
    }
    let contact: Vec<String> = settings.contact.iter().map(|address| format!("mailto:{address}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder()?.create(&new, settings.directory.clone(), None).await?;
    write_private(&file, &serde_json::to_vec(&credentials)?)?;
    Ok(account)
}
