//! Which certificate answers which name.

use std::{collections::HashMap, sync::Arc};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{
    TlsError,
    acme::{Challenges, PROOF_PROTOCOL},
    names_of,
};

/// Exact names first, then `*.` one label up, then the first certificate: a client without SNI or with a
/// name of nobody gets an answer it can complain about, rather than a broken handshake.
#[derive(Debug)]
pub(super) struct BySni {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
    challenges: Arc<Challenges>,
}

impl BySni {
    pub(super) fn new(
        certified: Vec<Arc<CertifiedKey>>,
        challenges: Arc<Challenges>,
    ) -> Result<Self, TlsError> {
        let default = certified.first().cloned().ok_or_else(|| TlsError::File {
            path: "[tls]".into(),
            cause: "there is no certificate".into(),
        })?;
        let mut by_name = HashMap::new();
        for one in certified {
            for name in one.cert.first().map(names_of).unwrap_or_default() {
                by_name.entry(name).or_insert_with(|| one.clone());
            }
        }
        Ok(Self { by_name, default, challenges })
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        self.by_name.get(&name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        })
    }
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 §3: whoever offers this protocol gets the proof or nothing.
        if hello.alpn().is_some_and(|mut offered| offered.any(|name| name == PROOF_PROTOCOL)) {
            return self.challenges.certificate(hello.server_name()?);
        }
        Some(hello.server_name().and_then(|name| self.find(name)).unwrap_or(&self.default).clone())
    }
}
