//! The local certificate authority, and the leaf that it signs for this machine.
//!
//! Made at the first start, kept under `data/tls/` with owner-only keys, used again at every later one. The leaf is
//! made anew when it is about to expire or the hosts changed; the authority lives for years, so that
//! what a browser was told to trust stays true.

use std::{
    fs,
    io::Write,
    net::IpAddr,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::sign::CertifiedKey;

use super::{TlsError, files, names_of};

const AUTHORITY_YEARS: i64 = 10;
/// Browsers refuse leaves that live longer than 398 days.
const LEAF: Duration = Duration::from_secs(90 * 86_400);
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// The leaf for `hosts`, from `directory` or made there.
pub(super) fn leaf(hosts: &[String], directory: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let wanted = wanted_names(hosts);
    fs::create_dir_all(directory).map_err(|error| TlsError::file(directory, error))?;
    let (chain, key) = (directory.join("leaf.pem"), directory.join("leaf.key"));
    let authority_pem = directory.join("authority.pem");
    if let Ok(known) = files::certified(&chain, &key)
        && authority_pem.exists()
        && is_good(&known, &wanted)
    {
        return Ok(Arc::new(known));
    }
    let issuer = authority(directory)?;
    let leaf_key = KeyPair::generate()?;
    let mut params = CertificateParams::new(wanted.clone())?;
    params.distinguished_name.push(DnType::CommonName, wanted.first().map_or("localhost", String::as_str));
    params.distinguished_name.push(DnType::OrganizationName, "Irongate local");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let now = Timestamp::now();
    // An hour back, for machines whose clocks disagree.
    params.not_before = date(now - Duration::from_secs(3600))?;
    params.not_after = date(now + LEAF)?;
    let certificate = params.signed_by(&leaf_key, &issuer)?;
    let authority_text =
        fs::read_to_string(&authority_pem).map_err(|error| TlsError::file(&authority_pem, error))?;
    write_private(&key, leaf_key.serialize_pem().as_bytes())?;
    write_private(&chain, format!("{}{authority_text}", certificate.pem()).as_bytes())?;
    tracing::info!(names = wanted.join(", "), "a certificate was made");
    files::certified(&chain, &key).map(Arc::new)
}

/// Configured hosts and the machine's own name, each once, in order.
fn wanted_names(hosts: &[String]) -> Vec<String> {
    let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let own = own.trim().to_ascii_lowercase();
    let is_name = !own.is_empty()
        && own.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    let mut names: Vec<String> = Vec::new();
    for name in hosts.iter().map(|host| host.to_ascii_lowercase()).chain(is_name.then_some(own)) {
        // Addresses in their one spelling, so that they compare.
        let name = name.parse::<IpAddr>().map_or(name, |address| address.to_string());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn is_good(known: &CertifiedKey, wanted: &[String]) -> bool {
    let Some(leaf) = known.cert.first() else { return false };
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else { return false };
    let mut names = names_of(leaf);
    let mut wanted = wanted.to_vec();
    names.sort_unstable();
    wanted.sort_unstable();
    let renew_at =
        parsed.validity().not_after.timestamp() - i64::try_from(RENEW_BEFORE.as_secs()).unwrap_or(0);
    names == wanted && Timestamp::now().as_second() < renew_at
}

fn authority(directory: &Path) -> Result<Issuer<'static, KeyPair>, TlsError> {
    let (pem_file, key_file) = (directory.join("authority.pem"), directory.join("authority.key"));
    if let (Ok(pem), Ok(key)) = (fs::read_to_string(&pem_file), fs::read_to_string(&key_file)) {
        let key = KeyPair::from_pem(&key).map_err(|error| TlsError::file(&key_file, error))?;
        return Issuer::from_ca_cert_pem(&pem, key).map_err(|error| TlsError::file(&pem_file, error));
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "Irongate local authority");
    params.distinguished_name.push(DnType::OrganizationName, "Irongate local");
    let now = Timestamp::now();
    params.not_before = date(now - Duration::from_secs(3600))?;
    params.not_after = date(now + (AUTHORITY_YEARS * 365 * 24).hours())?;
    let certificate = params.self_signed(&key)?;
    write_private(&key_file, key.serialize_pem().as_bytes())?;
    write_private(&pem_file, certificate.pem().as_bytes())?;
    tracing::info!(file = %pem_file.display(), "a local certificate authority was made");
    Ok(Issuer::new(params, key))
}

fn date(at: Timestamp) -> Result<time::OffsetDateTime, TlsError> {
    time::OffsetDateTime::from_unix_timestamp(at.as_second())
        .map_err(|error| TlsError::File { path: "clock".into(), cause: error.to_string() })
}

/// Whole or not at all, readable by the owner only from the first byte on.
pub(crate) fn write_private(path: &Path, text: &[u8]) -> Result<(), TlsError> {
    write(path, text, 0o600)
}

/// Whole or not at all.
pub(super) fn write(path: &Path, text: &[u8], mode: u32) -> Result<(), TlsError> {
    let fail = |error| TlsError::file(path, error);
    let temporary = path.with_extension("new");
    // One left over by a crash may have other permissions.
    let _ = fs::remove_file(&temporary);
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary).map_err(fail)?;
    // As asked, whatever the umask takes away.
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(fail)?;
    file.write_all(text).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    fs::rename(&temporary, path).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_leaf_is_kept_until_the_hosts_change() {
        irongate_shared::install_crypto_provider();
        let directory = tempfile::tempdir().unwrap();
        let first = leaf(&hosts(&["localhost", "::1"]), directory.path()).unwrap();
        let again = leaf(&hosts(&["::1", "localhost"]), directory.path()).unwrap();
        assert_eq!(first.cert, again.cert);
        let authority = fs::read(directory.path().join("authority.pem")).unwrap();
        let other = leaf(&hosts(&["localhost", "app.example"]), directory.path()).unwrap();
        assert_ne!(first.cert[0], other.cert[0]);
        assert!(names_of(&other.cert[0]).contains(&"app.example".to_owned()));
        assert_eq!(
            fs::read(directory.path().join("authority.pem")).unwrap(),
            authority,
            "the authority stays"
        );
        assert_eq!(other.cert.len(), 2, "the chain is complete");
    }

    #[test]
    fn the_leaf_is_renewed_before_it_expires() {
        irongate_shared::install_crypto_provider();
        let directory = tempfile::tempdir().unwrap();
        let wanted = hosts(&["localhost"]);
        let first = leaf(&wanted, directory.path()).unwrap();
        let issuer = authority(directory.path()).unwrap();
        for (days_left, stays) in [(31, true), (29, false)] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(wanted_names(&wanted)).unwrap();
            params.not_after = date(Timestamp::now() + Duration::from_secs(days_left * 86_400)).unwrap();
            let older = params.signed_by(&key, &issuer).unwrap();
            fs::write(directory.path().join("leaf.pem"), older.pem()).unwrap();
            fs::write(directory.path().join("leaf.key"), key.serialize_pem()).unwrap();
            let next = leaf(&wanted, directory.path()).unwrap();
            assert_eq!(next.cert[0] == *older.der(), stays, "{days_left} days left");
            assert_ne!(next.cert[0], first.cert[0]);
        }
    }

    #[test]
    fn keys_are_for_the_owner_only() {
        irongate_shared::install_crypto_provider();
        let directory = tempfile::tempdir().unwrap();
        leaf(&hosts(&["localhost"]), directory.path()).unwrap();
        for name in ["authority.key", "leaf.key"] {
            let mode = fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn services_get_the_authoritys_certificate_and_not_its_key() {
        irongate_shared::install_crypto_provider();
        let (data, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        leaf(&hosts(&["localhost"]), &data.path().join("tls")).unwrap();
        let copy = shared.path().join("authority.pem");

        super::super::share_authority(data.path(), &copy).unwrap();

        let own = super::super::authority_file(data.path());
        assert_eq!(fs::read(&copy).unwrap(), fs::read(&own).unwrap());
        assert!(!fs::read_to_string(&copy).unwrap().contains("PRIVATE"));
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600, "its own stays private");
        assert_eq!(fs::read_dir(shared.path()).unwrap().count(), 1, "a draft is left behind");
    }
}
