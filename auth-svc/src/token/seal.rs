//! What is kept in the database but must be worth nothing to who reads only that: sealed with keys that are not in it.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac,
};
use irongate_shared::secret::{Key, Secret};

/// The installation's secret. Every purpose gets a key of its own from it.
pub(crate) struct MasterKey(Secret<Key>);

impl MasterKey {
    pub(crate) fn new(key: Secret<Key>) -> Self {
        Self(key)
    }

    /// The key for one purpose: HMAC as a PRF (RFC 5869 §2.3, one block).
    pub(crate) fn derive(&self, purpose: &str) -> Key {
        let prf = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let mut key = Key::default();
        key.copy_from_slice(hmac::sign(&prf, purpose.as_bytes()).as_ref());
        key
    }
}

/// Seals for one purpose: AES-256-GCM, a random nonce in front.
pub(crate) struct Sealer(RandomizedNonceKey);

/// What is stored was sealed by another installation's key, for another row, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed with another master key, or damaged")]
pub(crate) struct Unopenable;

impl Sealer {
    #[expect(clippy::expect_used, reason = "the key has the algorithm's length")]
    pub(crate) fn new(master: &MasterKey, purpose: &str) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM, &master.derive(purpose)).expect("32 bytes"))
    }

    /// Seals `plain` for the row named `owner`: moved to another row it does not open.
    #[expect(clippy::expect_used, reason = "AES-GCM refuses only what is longer than 64 GiB")]
    pub(crate) fn seal(&self, owner: &str, plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(owner), &mut body).expect("short");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        sealed
    }

    pub(crate) fn open(&self, owner: &str, sealed: &[u8]) -> Result<Vec<u8>, Unopenable> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(Unopenable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopenable)?;
        let mut body = body.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(owner), &mut body).map_err(|_| Unopenable)?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: u8, purpose: &str) -> Sealer {
        Sealer::new(&MasterKey::new(Secret::new([byte; 32])), purpose)
    }

    #[test]
    fn only_the_same_key_purpose_and_row_open_it() {
        let sealed = sealer(1, "keys").seal("row 1", b"private");

        assert_eq!(sealer(1, "keys").open("row 1", &sealed).as_deref(), Ok(&b"private"[..]));
        assert_eq!(sealer(2, "keys").open("row 1", &sealed), Err(Unopenable));
        assert_eq!(sealer(1, "codes").open("row 1", &sealed), Err(Unopenable));
        assert_eq!(sealer(1, "keys").open("row 2", &sealed), Err(Unopenable));
        assert_eq!(sealer(1, "keys").open("row 1", b"short"), Err(Unopenable));
    }
}
