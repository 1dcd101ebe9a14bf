//! Ending sessions: one, or all of a user.

use std::time::Duration;

use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::{SessionId, UserId},
    problem::{Problem, kind},
    service::Client,
    token::revocation::{self, Revocation},
};

use super::RefreshToken;
use crate::{
    Auth,
    audit::{self, Event},
    config::Settings,
    store::{
        refresh_tokens,
        sessions::{self, SessionRow},
    },
};

/// A token that was being made while its session ended may run out this much later than one made before.
const MARGIN: Duration = Duration::from_secs(60);

/// When the last access token has run out that can be about at this moment.
pub(crate) fn last_token_runs_out(now: Timestamp, settings: &Settings) -> Timestamp {
    now + settings.access_lifetime.get() + MARGIN
}

/// Ends a session: its refresh tokens are worth nothing, its access tokens are refused until the last has run out.
pub(crate) fn end(
    db: &mut Db,
    session: SessionId,
    now: Timestamp,
    settings: &Settings,
) -> Result<bool, DbError> {
    // First: see there for the order of locks.
    revocation::revoke(db, Revocation::Session(session), now, last_token_runs_out(now, settings))?;
    sessions::end(db, session, now)
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum EndError {
    #[error("the user has no such session")]
    NoSuchSession,
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for EndError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<EndError> for Problem {
    fn from(why: EndError) -> Self {
        match why {
            EndError::NoSuchSession => Self::new(kind::NOT_FOUND).detail("You have no such session."),
            EndError::Database(why) => why.into(),
        }
    }
}

impl Auth {
    /// Signs out: ends the session of an access token, that of a refresh token, or both.
    ///
    /// Returns when no process accepts their access tokens any more, as do all here that end sessions.
    pub(crate) async fn sign_out(
        &self,
        session: Option<SessionId>,
        refresh: Option<RefreshToken>,
        client: Client,
    ) -> Result<(), DbError> {
        let (now, settings) = (self.clock.now(), self.settings.clone());
        self.database
            .write(move |db| {
                let of_refresh = match refresh {
                    Some(token) => refresh_tokens::by_hash(db, &token.hash())?.map(|row| row.session_id),
                    None => None,
                };
                for id in [session, of_refresh.filter(|id| Some(*id) != session)].into_iter().flatten() {
                    let user = sessions::by_id(db, id)?.map(|session| session.user_id);
                    if end(db, id, now, &settings)? {
                        audit::record(db, Event::SignedOut, user, &client, now)?;
                    }
                }
                Ok::<_, DbError>(())
            })
            .await?;
        self.verifier.settled().await;
        Ok(())
    }

    /// Ends all sessions of a user but, if given, `except`.
    pub(crate) async fn sign_out_everywhere(
        &self,
        user: UserId,
        except: Option<SessionId>,
        client: Client,
    ) -> Result<(), DbError> {
        let (now, settings) = (self.clock.now(), self.settings.clone());
        self.database
            .write(move |db| {
                end_all_of(db, user, except, now, &settings)?;
                audit::record(db, Event::SignedOutEverywhere, Some(user), &client, now)
            })
            .await?;
        self.verifier.settled().await;
        Ok(())
    }

    /// Ends one session of `user`.
    pub(crate) async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        client: Client,
    ) -> Result<(), EndError> {
        let (now, settings) = (self.clock.now(), self.settings.clone());
        self.database
            .write(move |db| {
                let found = sessions::by_id(db, session)?.filter(|found| found.user_id == user);
                found.ok_or(EndError::NoSuchSession)?;
                if !end(db, session, now, &settings)? {
                    return Err(EndError::NoSuchSession);
                }
                audit::record(db, Event::SessionEnded, Some(user), &client, now)?;
                Ok(())
            })
            .await?;
        self.verifier.settled().await;
        Ok(())
    }

    /// The live sessions of `user`, newest first, from before `before`.
    pub(crate) async fn sessions_of(
        &self,
        user: UserId,
        before: Option<SessionId>,
        limit: i64,
    ) -> Result<Vec<SessionRow>, DbError> {
        let now = self.clock.now();
        self.database.read(move |db| sessions::live_of(db, user, now, before, limit)).await
    }
}

/// Session by session rather than "all until now": a token that is being made at this moment belongs to one of them.
pub(crate) fn end_all_of(
    db: &mut Db,
    user: UserId,
    except: Option<SessionId>,
    now: Timestamp,
    settings: &Settings,
) -> Result<(), DbError> {
    let live = sessions::live_of(db, user, now, None, i64::MAX)?;
    for session in live.iter().filter(|session| Some(session.id) != except) {
        end(db, session.id, now, settings)?;
    }
    Ok(())
}
