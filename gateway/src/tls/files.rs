//! Certificates from PEM files.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use rustls::{
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::TlsError;
use crate::config::Certificate;

/// Every configured pair, or the first thing that is wrong with one.
pub(super) fn load(pairs: &[Certificate]) -> Result<Vec<Arc<CertifiedKey>>, TlsError> {
    if pairs.is_empty() {
        return Err(TlsError::File {
            path: "tls.mode = \"files\"".into(),
            cause: "no [[tls.certificate]] names a chain and a key".into(),
        });
    }
    pairs.iter().map(|pair| certified(&pair.chain, &pair.key).map(Arc::new)).collect()
}

pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| TlsError::file(path, error))?
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::file(path, error))?;
    if certificates.is_empty() {
        return Err(TlsError::file(path, "holds no certificate"));
    }
    Ok(certificates)
}

/// A chain and its key, checked: they belong together, and the leaf is valid now.
pub(super) fn certified(chain_file: &Path, key_file: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = chain(chain_file)?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| TlsError::file(key_file, error))?;
    let leaf = chain.first().ok_or_else(|| TlsError::file(chain_file, "holds no certificate"))?;
    let (_, parsed) =
        x509_parser::parse_x509_certificate(leaf).map_err(|error| TlsError::file(chain_file, error))?;
    let now = Timestamp::now().as_second();
    if parsed.validity().not_after.timestamp() < now {
        return Err(TlsError::file(chain_file, format!("expired on {}", parsed.validity().not_after)));
    }
    if parsed.validity().not_before.timestamp() > now {
        return Err(TlsError::file(
            chain_file,
            format!("is valid only from {}", parsed.validity().not_before),
        ));
    }
    let alone = chain.len() == 1 && parsed.issuer() != parsed.subject();
    if alone {
        tracing::warn!(file = %chain_file.display(), "the chain holds only the leaf: clients may lack the issuer");
    }
    CertifiedKey::from_der(chain, key, &default_provider())
        .map_err(|error| TlsError::file(key_file, format!("does not fit the certificate: {error}")))
}
