//! Sessions: one sign-in on one device, kept alive by a chain of refresh tokens.
//!
//! ```text
//! sign in ──▶ T1 ──refresh──▶ T2 ──refresh──▶ T3        the family: all of one session
//!              └─ again within the grace: T3, the newest; two tabs, or an answer that got lost
//!              └─ again later: somebody has a copy. The session ends, its access tokens are refused.
//! ```

mod end;
mod refresh;
mod refresh_token;

use irongate_shared::{
    account::AccountStatus,
    clock::Timestamp,
    db::{Db, DbError},
    id::{SessionId, UserId},
    service::Client,
    token::revocation,
};

pub(crate) use end::{end, end_all_of, last_token_runs_out};
pub(crate) use refresh::RefreshError;
pub(crate) use refresh_token::{RefreshToken, Succession};

use crate::{
    config::Settings,
    sign_in::SignInError,
    store::{
        credentials::{self, CredentialRow},
        refresh_tokens,
        sessions::{self, SessionRow},
    },
};

/// The credential of a user for whom tokens may be made at this moment, asked in the transaction that makes them.
///
/// SECURITY: check-then-act race: whoever locks the account or changes the password waits for this transaction, and then
/// ends the session that it has opened.
pub(crate) fn may_have_tokens(
    db: &mut Db,
    user: UserId,
    now: Timestamp,
) -> Result<CredentialRow, SignInError> {
    let credential = credentials::held(db, user)?.ok_or(SignInError::WrongPassword)?;
    match credential.status() {
        AccountStatus::Deleted | AccountStatus::Erased => Err(SignInError::WrongPassword),
        AccountStatus::Locked => Err(SignInError::Locked),
        AccountStatus::Active if revocation::is_barred(db, user, now)? => Err(SignInError::BeingChanged),
        AccountStatus::Active => Ok(credential),
    }
}

/// Opens a session; past the most that a user may have, the oldest end.
pub(crate) fn open(
    db: &mut Db,
    succession: &Succession,
    user: UserId,
    client: &Client,
    now: Timestamp,
    settings: &Settings,
) -> Result<(SessionId, RefreshToken), DbError> {
    let most = usize::try_from(settings.sessions_per_user).unwrap_or(usize::MAX).max(1);
    for old in sessions::live_of(db, user, now, None, i64::MAX)?.iter().skip(most - 1) {
        end(db, old.id, now, settings)?;
    }
    let expires = now + settings.refresh_lifetime.get();
    let session = SessionRow {
        id: SessionId::at(now),
        user_id: user,
        ip: client.address(),
        user_agent: client.user_agent.clone(),
        created_at_ms: now,
        last_used_at_ms: now,
        expires_at_ms: expires,
        ended_at_ms: None,
    };
    sessions::insert(db, &session)?;
    let token = RefreshToken::random();
    refresh_tokens::insert(db, &succession.row(&token, session.id, now, expires))?;
    Ok((session.id, token))
}
