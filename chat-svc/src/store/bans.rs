//! Table `bans`.

use diesel::prelude::*;
use irongate_shared::{clock::Timestamp, db::Db, id::UserId, on_inner};

use super::schema::{bans, profiles};
use crate::room::{Profile, RoomId};

/// Until when the user may not come in: `Some(None)` for good, `None` for no ban in force.
pub(crate) fn in_force(
    db: &mut Db,
    room: RoomId,
    user: UserId,
    now: Timestamp,
) -> QueryResult<Option<Option<Timestamp>>> {
    bans::table
        .find((room, user))
        .filter(bans::until_ms.is_null().or(bans::until_ms.gt(now)))
        .select(bans::until_ms)
        .first(db)
        .optional()
}

pub(crate) struct Ban {
    pub user: UserId,
    pub by: UserId,
    pub reason: Option<String>,
    pub until: Option<Timestamp>,
    pub at: Timestamp,
}

pub(crate) fn put(db: &mut Db, room: RoomId, ban: &Ban) -> QueryResult<()> {
    let values = (
        bans::banned_by.eq(ban.by),
        bans::reason.eq(&ban.reason),
        bans::until_ms.eq(ban.until),
        bans::created_at_ms.eq(ban.at),
    );
    on_inner!(db, connection => diesel::insert_into(bans::table)
        .values((bans::room_id.eq(room), bans::user_id.eq(ban.user), values))
        .on_conflict((bans::room_id, bans::user_id))
        .do_update()
        .set(values)
        .execute(connection))?;
    Ok(())
}

/// Whether there was one.
pub(crate) fn delete(db: &mut Db, room: RoomId, user: UserId) -> QueryResult<bool> {
    Ok(diesel::delete(bans::table.find((room, user))).execute(db)? > 0)
}

/// The bans of a room, the newest first.
pub(crate) fn of_room(db: &mut Db, room: RoomId, now: Timestamp) -> QueryResult<Vec<(Ban, Option<Profile>)>> {
    type Row = (UserId, UserId, Option<String>, Option<Timestamp>, Timestamp);
    let rows: Vec<(Row, Option<super::profiles::Row>)> = bans::table
        .left_join(profiles::table.on(profiles::user_id.eq(bans::user_id)))
        .filter(bans::room_id.eq(room))
        .filter(bans::until_ms.is_null().or(bans::until_ms.gt(now)))
        .order(bans::created_at_ms.desc())
        .limit(500)
        .select((
            (bans::user_id, bans::banned_by, bans::reason, bans::until_ms, bans::created_at_ms),
            super::profiles::COLUMNS.nullable(),
        ))
        .load(db)?;
    Ok(rows
        .into_iter()
        .map(|((user, by, reason, until, at), profile)| {
            (Ban { user, by, reason, until, at }, profile.map(super::profiles::profile))
        })
        .collect())
}
