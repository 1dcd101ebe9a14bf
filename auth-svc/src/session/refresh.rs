//! A refresh token for the next one, and what happens when one comes twice.

use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::{SessionId, UserId},
    problem::{Kind, Problem},
    service::Client,
};

use super::{RefreshToken, Succession, end, may_have_tokens};
use crate::{
    Auth,
    audit::{self, Event},
    config::Settings,
    sign_in::{SignInError, SignedIn},
    store::{
        credentials::CredentialRow,
        refresh_tokens,
        sessions::{self, SessionRow},
    },
};

/// Why a session does not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefreshError {
    /// None was sent, or what was sent is none.
    #[error("no refresh token was sent")]
    Missing,
    /// Never given out, or long gone.
    #[error("the refresh token is unknown")]
    Unknown,
    #[error("the session has ended or run out")]
    Ended,
    /// It was replaced too long ago: the session has been ended.
    #[error("the refresh token was used before")]
    Reused,
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

pub(crate) const SESSION_ENDED: Kind = Kind::new("session-ended", 401, "Your session has ended");

impl From<DbError> for RefreshError {
    fn from(why: DbError) -> Self {
        SignInError::from(why).into()
    }
}

impl From<diesel::result::Error> for RefreshError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<RefreshError> for Problem {
    fn from(why: RefreshError) -> Self {
        match why {
            RefreshError::Missing | RefreshError::Unknown | RefreshError::Ended => {
                Self::new(SESSION_ENDED).detail("Sign in again.")
            }
            RefreshError::Reused => Self::new(SESSION_ENDED).detail(
                "A refresh token was used twice, so the session was ended to be safe. Sign in again.",
            ),
            RefreshError::SignIn(SignInError::WrongPassword) => {
                Self::new(SESSION_ENDED).detail("Sign in again.")
            }
            RefreshError::SignIn(why) => why.into(),
        }
    }
}

/// What a presented token comes to.
enum Outcome {
    GoesOn { session: SessionId, credential: Box<CredentialRow>, token: RefreshToken },
    Reused,
}

impl Auth {
    /// Goes on with the session of `presented`.
    pub(crate) async fn refresh(
        &self,
        presented: RefreshToken,
        client: Client,
    ) -> Result<SignedIn, RefreshError> {
        let now = self.clock.now();
        let (succession, settings) = (self.succession.clone(), self.settings.clone());
        let outcome = self
            .database
            .write(move |db| rotate(db, &succession, presented, &client, now, &settings))
            .await?;
        match outcome {
            Outcome::GoesOn { session, credential, token } => {
                let user = credential.user().map_err(SignInError::from)?;
                let access = self.signer.mint(&user, session, now).await.map_err(SignInError::from)?;
                Ok(SignedIn { access, refresh: token, user })
            }
            Outcome::Reused => {
                self.verifier.tell_others();
                Err(RefreshError::Reused)
            }
        }
    }
}

fn rotate(
    db: &mut Db,
    succession: &Succession,
    presented: RefreshToken,
    client: &Client,
    now: Timestamp,
    settings: &Settings,
) -> Result<Outcome, RefreshError> {
    let mut token = presented;
    // One step for each replacement within the grace: whoever comes late in a burst gets the newest token.
    loop {
        let row = refresh_tokens::by_hash(db, &token.hash())?.ok_or(RefreshError::Unknown)?;
        let session = live(db, row.session_id, now)?;
        if row.expires_at_ms <= now {
            return Err(RefreshError::Ended);
        }
        let credential = Box::new(may_have_tokens(db, session.user_id, now)?);
        let successor = succession.after(&token, &row.salt);
        let expires = now + settings.refresh_lifetime.get();
        // SECURITY: check-then-act race: the update itself decides who is first.
        if row.replaced_at_ms.is_none() && refresh_tokens::replace(db, &row.hash, now)? {
            refresh_tokens::insert(db, &succession.row(&successor, session.id, now, expires))?;
            sessions::touch(db, session.id, &client.address(), client.user_agent.as_deref(), now, expires)?;
            return Ok(Outcome::GoesOn { session: session.id, credential, token: successor });
        }
        let replaced_at = match row.replaced_at_ms {
            Some(at) => at,
            // Somebody was first between the two statements: read again when that was.
            None => refresh_tokens::by_hash(db, &row.hash)?.and_then(|row| row.replaced_at_ms).unwrap_or(now),
        };
        if now.since(replaced_at) > settings.refresh_grace.get() {
            stolen(db, &session, session.user_id, client, now, settings)?;
            return Ok(Outcome::Reused);
        }
        let newest = refresh_tokens::by_hash(db, &successor.hash())?.ok_or(RefreshError::Unknown)?;
        if newest.replaced_at_ms.is_none() {
            return Ok(Outcome::GoesOn { session: session.id, credential, token: successor });
        }
        token = successor;
    }
}

fn live(db: &mut Db, id: SessionId, now: Timestamp) -> Result<SessionRow, RefreshError> {
    let session = sessions::by_id(db, id)?.ok_or(RefreshError::Unknown)?;
    let live = session.ended_at_ms.is_none() && session.expires_at_ms > now;
    if live { Ok(session) } else { Err(RefreshError::Ended) }
}

/// SECURITY: refresh token theft: thief and owner hold the same family and nobody can tell who is who; both lose it.
fn stolen(
    db: &mut Db,
    session: &SessionRow,
    user: UserId,
    client: &Client,
    now: Timestamp,
    settings: &Settings,
) -> Result<(), DbError> {
    end(db, session.id, now, settings)?;
    audit::record(db, Event::RefreshTokenReused, Some(user), client, now)?;
    tracing::warn!(user = %user, session = %session.id, "a replaced refresh token came back; the session was ended");
    Ok(())
}
