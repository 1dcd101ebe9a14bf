//! The blacklist: what is refused although its signature and times are right.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use diesel::{dsl::case_when, prelude::*, upsert::excluded};

use super::Identity;
use crate::{
    clock::Timestamp,
    db::{Db, DbError},
    id::{SessionId, TokenId, UserId},
    on_inner,
};

/// The oldest that a process's copy of the blacklist may be when it accepts a token.
pub const REVOCATION_LAG: Duration = Duration::from_millis(250);

diesel::table! {
    revoked_tokens (kind, subject) {
        kind -> Text,
        subject -> Text,
        not_before_ms -> BigInt,
        revoked_at_ms -> BigInt,
        expires_at_ms -> BigInt,
    }
}

/// What to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// One access token: sign out.
    Token(TokenId),
    /// All access tokens of a session: sign out everywhere, a stolen refresh token.
    Session(SessionId),
    /// All of a user's tokens issued until now: a new role or password; later ones are valid.
    UserUntilNow(UserId),
    /// All of a user's tokens, whenever issued: locked or deleted.
    User(UserId),
}

/// Puts `what` on the blacklist, in the caller's transaction, until `expires`: when the last token that it covers has
/// run out. Twice is as good as once.
///
/// # Errors
/// The database's.
pub fn revoke(db: &mut Db, what: Revocation, now: Timestamp, expires: Timestamp) -> Result<(), DbError> {
    let whole = Timestamp::from_millis(i64::MAX);
    let (kind, subject, not_before) = match what {
        Revocation::Token(token) => ("token", token.to_string(), whole),
        Revocation::Session(session) => ("session", session.to_string(), whole),
        Revocation::UserUntilNow(user) => ("user", user.to_string(), now),
        Revocation::User(user) => ("user", user.to_string(), whole),
    };
    let row = (
        revoked_tokens::kind.eq(kind),
        revoked_tokens::subject.eq(subject),
        revoked_tokens::not_before_ms.eq(not_before),
        revoked_tokens::revoked_at_ms.eq(now),
        revoked_tokens::expires_at_ms.eq(expires),
    );
    // What is on the list already only grows: a new password does not take a locked user's name off.
    let wider = (
        revoked_tokens::not_before_ms.eq(case_when(
            excluded(revoked_tokens::not_before_ms).gt(revoked_tokens::not_before_ms),
            excluded(revoked_tokens::not_before_ms),
        )
        .otherwise(revoked_tokens::not_before_ms)),
        revoked_tokens::revoked_at_ms.eq(now),
        revoked_tokens::expires_at_ms.eq(case_when(
            excluded(revoked_tokens::expires_at_ms).gt(revoked_tokens::expires_at_ms),
            excluded(revoked_tokens::expires_at_ms),
        )
        .otherwise(revoked_tokens::expires_at_ms)),
    );
    on_inner!(db, connection => diesel::insert_into(revoked_tokens::table)
        .values(row)
        .on_conflict((revoked_tokens::kind, revoked_tokens::subject))
        .do_update()
        .set(wider)
        .execute(connection))?;
    Ok(())
}

/// Whether a user is on the blacklist whole: no token may be made for them.
///
/// # Errors
/// The database's.
pub fn is_barred(db: &mut Db, user: UserId, now: Timestamp) -> Result<bool, DbError> {
    let row = row_of(user)
        .filter(revoked_tokens::not_before_ms.gt(now))
        .filter(revoked_tokens::expires_at_ms.gt(now));
    Ok(diesel::select(diesel::dsl::exists(row)).get_result(db)?)
}

/// Takes a user off the blacklist who was put there no later than `as_of`; tokens issued until then stay refused.
/// A bar that was set later stands: what lifts this one did not know of it.
///
/// # Errors
/// The database's.
pub fn lift(db: &mut Db, user: UserId, as_of: Timestamp) -> Result<(), DbError> {
    diesel::update(row_of(user).filter(revoked_tokens::revoked_at_ms.le(as_of)))
        .set(revoked_tokens::not_before_ms.eq(as_of))
        .execute(db)?;
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(user: UserId) -> _ {
    let subject: String = user.to_string();
    revoked_tokens::table.filter(revoked_tokens::kind.eq("user")).filter(revoked_tokens::subject.eq(subject))
}

/// Deletes what has expired; says how much.
///
/// # Errors
/// The database's.
pub fn purge(db: &mut Db, now: Timestamp) -> Result<usize, DbError> {
    Ok(diesel::delete(revoked_tokens::table.filter(revoked_tokens::expires_at_ms.le(now))).execute(db)?)
}

/// Waits until every process refuses what was revoked before the call.
pub async fn settled() {
    tokio::time::sleep(REVOCATION_LAG).await;
}

/// One reading of the blacklist.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Blacklist {
    tokens: HashSet<TokenId>,
    sessions: HashSet<SessionId>,
    users: HashMap<UserId, Timestamp>,
}

impl Blacklist {
    pub(super) fn read(db: &mut Db, now: Timestamp) -> Result<Self, DbError> {
        let rows: Vec<(String, String, Timestamp)> = revoked_tokens::table
            .filter(revoked_tokens::expires_at_ms.gt(now))
            .select((revoked_tokens::kind, revoked_tokens::subject, revoked_tokens::not_before_ms))
            .load(db)?;
        let mut list = Self::default();
        for (kind, subject, not_before) in rows {
            // The schema knows three kinds, and only `revoke` writes subjects.
            match kind.as_str() {
                "token" => list.tokens.extend(subject.parse::<TokenId>()),
                "session" => list.sessions.extend(subject.parse::<SessionId>()),
                _ => list.users.extend(subject.parse::<UserId>().map(|user| (user, not_before))),
            }
        }
        Ok(list)
    }

    pub(super) fn refuses(&self, identity: &Identity) -> bool {
        self.tokens.contains(&identity.token)
            || self.sessions.contains(&identity.session)
            || self.users.get(&identity.user).is_some_and(|not_before| identity.issued_at <= *not_before)
    }
}
