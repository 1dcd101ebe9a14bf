//! Certificates and what a handshake needs, as one value that is swapped whole.
//!
//! The ticket keys outlive swaps and lie in a file, so that sessions resume across reloads, restarts and replicas.
//! Where client certificates are asked for, nothing resumes: a resumed session would skip their check.

pub(crate) mod acme;
mod authority;
mod files;
pub(crate) use authority::write_private;
mod resolver;
mod tickets;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use irongate_shared::config::{ConfigError, ConfigErrors};
use jiff::Timestamp;
use pingora::{
    protocols::tls::CaType,
    utils::tls::{WrappedX509, parse_x509},
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::CertificateDer,
    server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::tickets::Tickets;
use crate::config::{AcmeChallenge, Tls, TlsMode};

/// TLS 1.2 sessions by id, for clients without tickets.
const SESSIONS: usize = 4096;

pub(crate) struct Certificates {
    config: ArcSwap<ServerConfig>,
    facts: ArcSwap<Facts>,
    tickets: Arc<Tickets>,
    /// Proofs for an ACME authority.
    pub(crate) challenges: Arc<acme::Challenges>,
}

/// What the dashboard says of the certificate that answers by default.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Facts {
    pub(crate) mode: &'static str,
    pub(crate) subject: String,
    pub(crate) names: Vec<String>,
    pub(crate) not_after: String,
    #[serde(skip)]
    pub(crate) not_after_s: i64,
    pub(crate) fingerprint_sha256: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{path}: {cause}")]
    File { path: String, cause: String },
    #[error("a certificate could not be made: {0}")]
    Mint(#[from] rcgen::Error),
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    fn file(path: &Path, cause: impl std::fmt::Display) -> Self {
        Self::File { path: path.display().to_string(), cause: cause.to_string() }
    }
}

/// Where the local authority's certificate lies.
pub(crate) fn authority_file(data: &Path) -> PathBuf {
    data.join("tls").join("authority.pem")
}

/// Puts a copy of the local authority's certificate, and of nothing else, where services find it that do not share
/// the data directory. Nothing to do for certificates that others vouch for.
pub(crate) fn share_authority(data: &Path, to: &Path) -> Result<(), TlsError> {
    let from = authority_file(data);
    if from == to || !from.exists() {
        return Ok(());
    }
    let text = std::fs::read(&from).map_err(|error| TlsError::file(&from, error))?;
    authority::write(to, &text, 0o644)
}

impl Certificates {
    /// Loads what `settings` name, or makes it.
    pub(crate) fn load(settings: &Tls, data: &Path) -> Result<Self, ConfigErrors> {
        let file = settings.ticket_keys.clone().unwrap_or_else(|| data.join("tls").join("tickets"));
        let tickets =
            Arc::new(Tickets::load(file, Timestamp::now().as_second()).map_err(|error| mistakes(&error))?);
        let challenges = Arc::<acme::Challenges>::default();
        let (config, facts) =
            build(settings, data, &tickets, &challenges).map_err(|error| mistakes(&error))?;
        Ok(Self {
            config: ArcSwap::from_pointee(config),
            facts: ArcSwap::from_pointee(facts),
            tickets,
            challenges,
        })
    }

    /// Looks for mistakes without making anything.
    pub(crate) fn check(settings: &Tls, data: &Path) -> Result<(), ConfigErrors> {
        if settings.mode != TlsMode::Files && settings.client_authorities.is_none() {
            return Ok(());
        }
        Self::load(settings, data).map(drop)
    }

    /// Loads again and swaps, or leaves everything as it is.
    pub(crate) fn reload(&self, settings: &Tls, data: &Path) -> Result<(), ConfigErrors> {
        let (config, facts) =
            build(settings, data, &self.tickets, &self.challenges).map_err(|error| mistakes(&error))?;
        if facts.fingerprint_sha256 != self.facts.load().fingerprint_sha256 {
            tracing::info!(
                names = facts.names.join(", "),
                not_after = facts.not_after,
                "certificate in force"
            );
        }
        self.config.store(Arc::new(config));
        self.facts.store(Arc::new(facts));
        Ok(())
    }

    /// Looks at the ticket keys again; to be called every minute. Blocks.
    pub(crate) fn refresh_tickets(&self) {
        if let Err(error) = self.tickets.refresh(Timestamp::now().as_second()) {
            tracing::warn!(%error, "the keys of session tickets could not be renewed");
        }
    }

    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    pub(crate) fn facts(&self) -> Arc<Facts> {
        self.facts.load_full()
    }
}

fn mistakes(error: &TlsError) -> ConfigErrors {
    ConfigError::new("[tls]", error.to_string()).into()
}

fn build(
    settings: &Tls,
    data: &Path,
    tickets: &Arc<Tickets>,
    challenges: &Arc<acme::Challenges>,
) -> Result<(ServerConfig, Facts), TlsError> {
    let (certified, mode) = match settings.mode {
        TlsMode::SelfSigned => (vec![authority::leaf(&settings.hosts, &data.join("tls"))?], "self-signed"),
        TlsMode::Acme => match acme::stored(settings, data) {
            Some(known) => (vec![Arc::new(known)], "acme"),
            None => (
                vec![authority::leaf(&settings.hosts, &data.join("tls"))?],
                "acme (self-signed until the first order is done)",
            ),
        },
        TlsMode::Files => (files::load(&settings.certificate)?, "files"),
    };
    let facts = certified
        .first()
        .and_then(|first| first.cert.first())
        .map(|leaf| facts_of(leaf, mode))
        .unwrap_or_default();
    let resolver = resolver::BySni::new(certified, challenges.clone())?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let mut config = match &settings.client_authorities {
        None => builder.with_no_client_auth().with_cert_resolver(Arc::new(resolver)),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in files::chain(path)? {
                roots.add(authority).map_err(|error| TlsError::file(path, error))?;
            }
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
            let verifier = if settings.client_required { verifier } else { verifier.allow_unauthenticated() };
            let verifier = verifier.build().map_err(|error| TlsError::file(path, error))?;
            builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(resolver))
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if settings.mode == TlsMode::Acme && settings.acme.challenge == AcmeChallenge::TlsAlpn01 {
        config.alpn_protocols.push(acme::PROOF_PROTOCOL.to_vec());
    }
    if settings.client_authorities.is_none() {
        config.ticketer = tickets.clone();
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    } else {
        // SECURITY: a certificate that expired or was withdrawn must not live on in a resumed session.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok((config, facts))
}

fn facts_of(leaf: &CertificateDer<'_>, mode: &'static str) -> Facts {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else {
        return Facts { mode, ..Facts::default() };
    };
    let not_after_s = parsed.validity().not_after.timestamp();
    Facts {
        mode,
        subject: parsed.subject().to_string(),
        names: names_of(leaf),
        not_after: Timestamp::from_second(not_after_s).map(|at| at.to_string()).unwrap_or_default(),
        not_after_s,
        fingerprint_sha256: hex::encode(Sha256::digest(leaf)),
    }
}

/// DNS names and addresses that the certificate is for.
fn names_of(leaf: &CertificateDer<'_>) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else { return Vec::new() };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return Vec::new() };
    names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(|v4| std::net::Ipv4Addr::from(v4).to_string()),
                16 => <[u8; 16]>::try_from(*bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// A root for checking services' certificates, as Pingora takes it.
pub(crate) fn root(file: &Path) -> Result<Arc<CaType>, TlsError> {
    files::chain(file)?
        .into_iter()
        .map(|certificate| {
            x509_parser::parse_x509_certificate(&certificate).map_err(|error| TlsError::file(file, error))?;
            Ok(WrappedX509::new(certificate.to_vec(), parse_x509))
        })
        .collect()
}

/// How a service's certificate is checked: against the roots in `file`, or the system's.
pub(crate) fn client_config(file: Option<&Path>, protocol: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in files::chain(file)? {
                roots.add(certificate).map_err(|error| TlsError::file(file, error))?;
            }
        }
        // One that cannot be read is one that nothing is checked against.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}

/// The subject of a client's certificate, as the log and services see it.
pub(crate) fn subject_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(parsed.subject().to_string())
}
