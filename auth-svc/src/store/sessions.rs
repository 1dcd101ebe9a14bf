//! Table `sessions`.

use diesel::prelude::*;
use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::{SessionId, UserId},
};

use super::schema::sessions;

#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = sessions)]
pub(crate) struct SessionRow {
    pub id: SessionId,
    pub user_id: UserId,
    pub ip: String,
    pub user_agent: Option<String>,
    pub created_at_ms: Timestamp,
    pub last_used_at_ms: Timestamp,
    pub expires_at_ms: Timestamp,
    pub ended_at_ms: Option<Timestamp>,
}

pub(crate) fn insert(db: &mut Db, session: &SessionRow) -> Result<(), DbError> {
    diesel::insert_into(sessions::table).values(session).execute(db)?;
    Ok(())
}

pub(crate) fn by_id(db: &mut Db, id: SessionId) -> Result<Option<SessionRow>, DbError> {
    Ok(sessions::table.find(id).first(db).optional()?)
}

/// The sessions of a user that can still be refreshed, newest first, from before `before` if given.
pub(crate) fn live_of(
    db: &mut Db,
    user: UserId,
    now: Timestamp,
    before: Option<SessionId>,
    limit: i64,
) -> Result<Vec<SessionRow>, DbError> {
    let mut rows = sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ended_at_ms.is_null())
        .filter(sessions::expires_at_ms.gt(now))
        .order(sessions::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(before) = before {
        rows = rows.filter(sessions::id.lt(before));
    }
    Ok(rows.load(db)?)
}

/// Marks a session as used: its newest refresh token runs out at `expires`.
pub(crate) fn touch(
    db: &mut Db,
    id: SessionId,
    ip: &str,
    user_agent: Option<&str>,
    now: Timestamp,
    expires: Timestamp,
) -> Result<(), DbError> {
    diesel::update(sessions::table.find(id))
        .set((
            sessions::last_used_at_ms.eq(now),
            sessions::expires_at_ms.eq(expires),
            sessions::ip.eq(ip),
            sessions::user_agent.eq(user_agent),
        ))
        .execute(db)?;
    Ok(())
}

/// Ends a session; says whether it was live until now.
pub(crate) fn end(db: &mut Db, id: SessionId, now: Timestamp) -> Result<bool, DbError> {
    let live = sessions::table.find(id).filter(sessions::ended_at_ms.is_null());
    Ok(diesel::update(live).set(sessions::ended_at_ms.eq(Some(now))).execute(db)? > 0)
}

/// Deletes all sessions of an erased user, and with them their refresh tokens.
pub(crate) fn delete_all_of(db: &mut Db, user: UserId) -> Result<(), DbError> {
    diesel::delete(sessions::table.filter(sessions::user_id.eq(user))).execute(db)?;
    Ok(())
}

/// Deletes sessions, and with them their refresh tokens, that ended or ran out before `before`.
pub(crate) fn delete_dead(db: &mut Db, before: Timestamp) -> Result<usize, DbError> {
    let dead =
        sessions::table.filter(sessions::expires_at_ms.lt(before).or(sessions::ended_at_ms.lt(before)));
    Ok(diesel::delete(dead).execute(db)?)
}
