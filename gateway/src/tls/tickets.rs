//! Session tickets that still open after a restart, a reload, and at another replica.
//!
//! Their keys lie in a file. Every gateway that reads the same file (one data directory, or `[tls] ticket_keys`) opens
//! what any of them sealed. Whoever first sees that the newest key grows old adds the next one under a lock; it
//! seals only after a while, when all have read it. A file that cannot be written is used as it is.

use std::{
    fmt,
    fs::{self, File},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    rand,
};
use jiff::Timestamp;
use rustls::server::ProducesTickets;

use super::{TlsError, write_private};

/// Seconds for which a ticket opens.
const LIFETIME: i64 = 24 * 3600;
/// Seconds for which a key seals before the next one does.
const ROTATION: i64 = 12 * 3600;
/// Seconds between the making of a key and its first use: everybody looks at the file more often than that.
const LEAD: i64 = 180;
const NAME: usize = 16;
const SECRET: usize = 32;

pub(super) struct Tickets {
    file: PathBuf,
    keys: ArcSwap<Vec<Key>>,
}

#[derive(Clone)]
struct Key {
    /// Unix time from which it seals.
    from: i64,
    name: [u8; NAME],
    secret: [u8; SECRET],
    cipher: Arc<RandomizedNonceKey>,
}

impl Key {
    fn new(from: i64, name: [u8; NAME], secret: [u8; SECRET]) -> Option<Self> {
        let cipher = Arc::new(RandomizedNonceKey::new(&AES_256_GCM, &secret).ok()?);
        Some(Self { from, name, secret, cipher })
    }

    fn make(from: i64) -> Option<Self> {
        let (mut name, mut secret) = ([0; NAME], [0; SECRET]);
        rand::fill(&mut name).ok()?;
        rand::fill(&mut secret).ok()?;
        Self::new(from, name, secret)
    }

    /// `<unix time> <name> <secret>`, the last two in hexadecimal.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let from = words.next()?.parse().ok()?;
        let (mut name, mut secret) = ([0; NAME], [0; SECRET]);
        hex::decode_to_slice(words.next()?, &mut name).ok()?;
        hex::decode_to_slice(words.next()?, &mut secret).ok()?;
        if words.next().is_some() { None } else { Self::new(from, name, secret) }
    }

    fn line(&self) -> String {
        format!("{} {} {}\n", self.from, hex::encode(self.name), hex::encode(self.secret))
    }
}

impl Tickets {
    /// Reads the keys in `file`, or makes a first one that [`Tickets::refresh`] will write there: the start does not
    /// wait for a disk.
    pub(super) fn load(file: PathBuf, now: i64) -> Result<Self, TlsError> {
        let mut keys = read(&file)?;
        if keys.is_empty() {
            keys.extend(Key::make(now));
        }
        Ok(Self { file, keys: ArcSwap::from_pointee(keys) })
    }

    /// Reads the file again, adds what it lacks, and a further key when the newest one grows old. Blocks.
    pub(super) fn refresh(&self, now: i64) -> Result<(), TlsError> {
        let wrong = |error: std::io::Error| TlsError::file(&self.file, error);
        if let Some(directory) = self.file.parent() {
            fs::create_dir_all(directory).map_err(wrong)?;
        }
        let lock = self.file.with_extension("lock");
        let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(lock);
        let Ok(lock) = lock.and_then(|lock| lock.lock().map(|()| lock)) else {
            // Somebody else writes it, such as an orchestrator that mounts it.
            let keys = read(&self.file)?;
            if !keys.is_empty() {
                self.keys.store(Arc::new(keys));
            }
            return Ok(());
        };
        let there = read(&self.file)?;
        let mut keys = there.clone();
        let is_new = |key: &&Key| !there.iter().any(|known| known.name == key.name);
        keys.extend(self.keys.load().iter().filter(is_new).cloned());
        keys.retain(|key| key.from + ROTATION + LEAD + LIFETIME > now);
        let newest = keys.iter().map(|key| key.from).max();
        if newest.is_none_or(|newest| newest + ROTATION <= now) {
            keys.extend(Key::make(if keys.is_empty() { now } else { now + LEAD }));
        }
        let names = |keys: &[Key]| keys.iter().map(|key| key.name).collect::<Vec<_>>();
        if names(&keys) != names(&there) {
            write_private(&self.file, keys.iter().map(Key::line).collect::<String>().as_bytes())?;
        }
        drop(lock);
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    fn seal(&self, plain: &[u8], now: i64) -> Option<Vec<u8>> {
        let keys = self.keys.load();
        let key = keys.iter().filter(|key| key.from <= now).max_by_key(|key| key.from).or(keys.first())?;
        let mut sealed = plain.to_vec();
        let nonce = key.cipher.seal_in_place_append_tag(Aad::from(&key.name), &mut sealed).ok()?;
        let mut ticket = Vec::with_capacity(NAME + NONCE_LEN + sealed.len());
        ticket.extend_from_slice(&key.name);
        ticket.extend_from_slice(nonce.as_ref());
        ticket.extend_from_slice(&sealed);
        Some(ticket)
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let keys = self.keys.load();
        let key = keys.iter().find(|key| key.name == name)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = sealed.to_vec();
        let length = key.cipher.open_in_place(nonce, Aad::from(&key.name), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, Timestamp::now().as_second())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(ticket)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Nothing where there is no file yet.
fn read(file: &Path) -> Result<Vec<Key>, TlsError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.lines().filter_map(Key::parse).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(TlsError::file(file, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn replica(directory: &Path, now: i64) -> Tickets {
        let tickets = Tickets::load(directory.join("tickets"), now).unwrap();
        tickets.refresh(now).unwrap();
        tickets
    }

    #[test]
    fn a_replica_opens_what_another_sealed_through_every_rotation() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (replica(directory.path(), NOW), replica(directory.path(), NOW));
        let mut sealed = Vec::new();
        // Two days of minutes; they look at the file at different times.
        for minute in 0..2 * 24 * 60 {
            let now = NOW + minute * 60;
            one.refresh(now).unwrap();
            if minute % 2 == 0 {
                other.refresh(now + 30).unwrap();
            }
            let ticket = one.seal(b"session", now + 59).unwrap();
            assert_eq!(other.open(&ticket).as_deref(), Some(&b"session"[..]), "minute {minute}");
            sealed.push((now, ticket));
        }
        let end = NOW + 2 * 24 * 3600;
        let names: std::collections::BTreeSet<_> =
            sealed.iter().map(|(_, ticket)| ticket[..NAME].to_vec()).collect();
        assert!(names.len() >= 4, "keys were not rotated: {}", names.len());
        for (at, ticket) in sealed {
            let opens = one.open(&ticket).is_some();
            assert!(opens || at + LIFETIME < end, "a ticket of {} s ago no longer opens", end - at);
        }
        assert!(one.keys.load().len() <= 5, "old keys stay for ever");
    }

    #[test]
    fn the_keys_survive_a_restart_and_are_for_the_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let ticket = replica(directory.path(), NOW).seal(b"session", NOW).unwrap();
        assert!(replica(directory.path(), NOW + 3600).open(&ticket).is_some());
        let mode = fs::metadata(directory.path().join("tickets")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn replicas_that_start_together_learn_each_other_s_first_key() {
        let directory = tempfile::tempdir().unwrap();
        let start = || Tickets::load(directory.path().join("tickets"), NOW).unwrap();
        let (one, other) = (start(), start());
        let ticket = one.seal(b"session", NOW).unwrap();
        other.refresh(NOW).unwrap();
        one.refresh(NOW).unwrap();
        assert!(other.open(&ticket).is_none());
        other.refresh(NOW + 60).unwrap();
        assert!(other.open(&ticket).is_some());
    }

    #[test]
    fn a_changed_or_foreign_ticket_opens_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let tickets = replica(directory.path(), NOW);
        let ticket = tickets.seal(b"session", NOW).unwrap();
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert!(tickets.open(&changed).is_none(), "byte {at}");
            assert!(tickets.open(&ticket[..at]).is_none(), "cut at {at}");
        }
        let stranger = replica(tempfile::tempdir().unwrap().path(), NOW);
        assert!(stranger.open(&ticket).is_none());
    }
}
