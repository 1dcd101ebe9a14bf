//! Table `profiles`: what chat-svc knows of users.

use diesel::prelude::*;
use irongate_shared::{clock::Timestamp, db::Db, id::UserId, on_inner};

use super::schema::profiles;
use crate::room::{Profile, folded};

pub(super) type Row = (UserId, String, String, Option<String>);

pub(super) const COLUMNS: (
    profiles::user_id,
    profiles::username,
    profiles::display_name,
    profiles::avatar_url,
) = (profiles::user_id, profiles::username, profiles::display_name, profiles::avatar_url);

pub(super) fn profile((id, username, display_name, avatar_url): Row) -> Profile {
    Profile { id, username, display_name, avatar_url }
}

pub(crate) fn find(db: &mut Db, user: UserId) -> QueryResult<Option<Profile>> {
    let row: Option<Row> = profiles::table.find(user).select(COLUMNS).first(db).optional()?;
    Ok(row.map(profile))
}

pub(crate) fn find_all(db: &mut Db, users: &[UserId]) -> QueryResult<Vec<Profile>> {
    let rows: Vec<Row> = profiles::table.filter(profiles::user_id.eq_any(users)).select(COLUMNS).load(db)?;
    Ok(rows.into_iter().map(profile).collect())
}

/// The users with these folded usernames.
pub(crate) fn named(db: &mut Db, username_keys: &[String]) -> QueryResult<Vec<UserId>> {
    profiles::table.filter(profiles::username_key.eq_any(username_keys)).select(profiles::user_id).load(db)
}

/// Writes down what was told at `known_at`, unless something newer is known. Whether it changed what others see.
pub(crate) fn learn(db: &mut Db, told: &Profile, known_at: Timestamp) -> QueryResult<bool> {
    let before: Option<(Row, Timestamp)> =
        profiles::table.find(told.id).select((COLUMNS, profiles::known_at_ms)).first(db).optional()?;
    if let Some((row, at)) = before
        && (at > known_at || profile(row) == *told)
    {
        return Ok(false);
    }
    let values = (
        profiles::username.eq(&told.username),
        profiles::username_key.eq(folded(&told.username)),
        profiles::display_name.eq(&told.display_name),
        profiles::avatar_url.eq(&told.avatar_url),
        profiles::known_at_ms.eq(known_at),
    );
    on_inner!(db, connection => diesel::insert_into(profiles::table)
        .values((profiles::user_id.eq(told.id), values.clone()))
        .on_conflict(profiles::user_id)
        .do_update()
        .set(values)
        .execute(connection))?;
    Ok(true)
}
