//! Refresh tokens: 256 random bits, stored as their hash.
//!
//! A successor is not random on its own but derived from the token that it replaces, a random salt, and a key that is
//! not in the database. So the database holds nothing that signs anybody in, and yet whoever presents the replaced
//! token within the grace gets the same successor as the one who was first.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use irongate_shared::{
    clock::Timestamp,
    id::SessionId,
    secret::{Key, Secret, random_key},
};
use sha2::{Digest as _, Sha256};

use crate::{store::refresh_tokens::RefreshRow, token::MasterKey};

/// A refresh token as its owner holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken(Secret<Key>);

impl RefreshToken {
    pub(crate) fn random() -> Self {
        Self(random_key().into())
    }

    /// Reads what a client sent; `None` for what we never gave out.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Key::try_from(bytes).ok().map(|key| Self(key.into()))
    }

    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.expose())
    }

    /// What is stored: the token is random, so a plain hash does not give it away.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.expose()).into()
    }
}

/// What successors are derived with.
#[derive(Clone)]
pub(crate) struct Succession(hmac::Key);

impl Succession {
    pub(crate) fn new(master: &MasterKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &master.derive("refresh tokens")))
    }

    /// The one successor of `token`, whose row holds `salt`.
    pub(crate) fn after(&self, token: &RefreshToken, salt: &[u8]) -> RefreshToken {
        let mut signing = hmac::Context::with_key(&self.0);
        signing.update(token.0.expose());
        signing.update(salt);
        let mut key = Key::default();
        key.copy_from_slice(signing.sign().as_ref());
        RefreshToken(key.into())
    }

    /// The row of a token given out now.
    pub(crate) fn row(
        &self,
        token: &RefreshToken,
        session: SessionId,
        now: Timestamp,
        expires: Timestamp,
    ) -> RefreshRow {
        RefreshRow {
            hash: token.hash().to_vec(),
            session_id: session,
            salt: random_key().to_vec(),
            created_at_ms: now,
            expires_at_ms: expires,
            replaced_at_ms: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_takes_the_token_the_salt_and_the_key() {
        let with = |byte: u8| Succession::new(&MasterKey::new(Secret::new([byte; 32])));
        let (token, salt) = (RefreshToken::random(), [7; 32]);

        let successor = with(1).after(&token, &salt);

        assert_eq!(with(1).after(&token, &salt), successor);
        assert_ne!(with(2).after(&token, &salt), successor);
        assert_ne!(with(1).after(&token, &[8; 32]), successor);
        assert_ne!(with(1).after(&RefreshToken::random(), &salt), successor);
    }

    #[test]
    fn what_we_never_gave_out_is_no_token() {
        let token = RefreshToken::random();

        assert_eq!(RefreshToken::parse(&token.text()), Some(token));
        for text in ["", "x", "AAAA", &"A".repeat(44), &"é".repeat(43)] {
            assert_eq!(RefreshToken::parse(text), None, "{text}");
        }
    }
}
