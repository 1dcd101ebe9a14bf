//! Links in mails: 256 random bits, stored as their hash, good once and for one address.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use irongate_shared::{
    account::{User, key},
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    problem::{Kind, Problem},
    secret::random_key,
};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::Letter;
use crate::store::mails::{self, LinkRow};

/// What a link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    ResetPassword,
    VerifyEmail,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset password",
            Self::VerifyEmail => "verify email",
        }
    }

    const fn lifetime(self) -> Duration {
        match self {
            Self::ResetPassword => Duration::from_secs(30 * 60),
            Self::VerifyEmail => Duration::from_secs(24 * 3600),
        }
    }

    /// SECURITY: the token stands behind the `#`: it is in no server's log and no Referer, and a mail scanner that
    /// opens the page uses nothing up.
    fn letter(self, origin: &Url, token: &str) -> Letter {
        let at = |page: &str| {
            let mut link = origin.clone();
            link.set_path(page);
            link.set_fragment(Some(&format!("token={token}")));
            link.to_string()
        };
        match self {
            Self::ResetPassword => Letter::ResetPassword { link: at("/reset") },
            Self::VerifyEmail => Letter::VerifyEmail { link: at("/verify") },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link is unknown, used up or too old")]
pub(crate) struct LinkError;

pub(crate) const LINK_USED_UP: Kind = Kind::new("link-used-up", 410, "This link is no longer good");

impl From<LinkError> for Problem {
    fn from(_: LinkError) -> Self {
        Self::new(LINK_USED_UP).detail("It was used already, or is too old. Ask for a new one.")
    }
}

/// Mails a link; those mailed before for the same purpose are worth nothing then.
pub(crate) fn send_link(
    db: &mut Db,
    purpose: Purpose,
    user: &User,
    origin: &Url,
    now: Timestamp,
) -> Result<(), DbError> {
    let token = random_key();
    mails::delete_links_of(db, user.id, purpose.as_str())?;
    mails::insert_link(
        db,
        &LinkRow {
            hash: Sha256::digest(token).to_vec(),
            purpose: purpose.as_str().to_owned(),
            user_id: user.id,
            email_key: key(&user.email),
            expires_at_ms: now + purpose.lifetime(),
        },
    )?;
    purpose.letter(origin, &URL_SAFE_NO_PAD.encode(token)).post(db, user, now)
}

/// Whose link this is, and for which address.
pub(crate) fn look_up(
    db: &mut Db,
    purpose: Purpose,
    token: &str,
    now: Timestamp,
) -> Result<Result<(UserId, String), LinkError>, DbError> {
    let Some(hash) = hash_of(token) else { return Ok(Err(LinkError)) };
    let link = mails::link(db, &hash, purpose.as_str(), now)?;
    Ok(link.map(|link| (link.user_id, link.email_key)).ok_or(LinkError))
}

/// Uses the link up, if nobody did before.
pub(crate) fn use_up(db: &mut Db, token: &str) -> Result<bool, DbError> {
    match hash_of(token) {
        Some(hash) => mails::use_link(db, &hash),
        None => Ok(false),
    }
}

fn hash_of(token: &str) -> Option<Vec<u8>> {
    let token = URL_SAFE_NO_PAD.decode(token).ok().filter(|bytes| bytes.len() == 32)?;
    Some(Sha256::digest(token).to_vec())
}
