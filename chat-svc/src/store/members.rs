//! Table `members`.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Nullable, Text},
};
use irongate_shared::{clock::Timestamp, db::Db, id::UserId};

use super::{
    arrays::{Column, Over},
    schema::{members, profiles},
};
use crate::room::{Member, Profile, Role, RoomId, Seq};

type Row = (Role, Seq, Option<Timestamp>);

const COLUMNS: (members::role, members::last_read_seq, members::muted_until_ms) =
    (members::role, members::last_read_seq, members::muted_until_ms);

fn member((role, last_read, muted_until): Row) -> Member {
    Member { role, last_read, muted_until }
}

pub(crate) fn find(db: &mut Db, room: RoomId, user: UserId) -> QueryResult<Option<Member>> {
    let row: Option<Row> = members::table.find((room, user)).select(COLUMNS).first(db).optional()?;
    Ok(row.map(member))
}

/// The memberships among these pairs.
pub(crate) fn find_all(
    db: &mut Db,
    pairs: &[(RoomId, UserId)],
) -> QueryResult<Vec<((RoomId, UserId), Member)>> {
    match db {
        Db::Pg(connection) => {
            type Columns = ((Text, Text), (Text, BigInt, Nullable<BigInt>));
            let rows: Vec<((RoomId, UserId), Row)> = Over::<Columns>::new(
                "SELECT found.* FROM unnest(?, ?) AS wanted (room_id, user_id) CROSS JOIN LATERAL (\
                     SELECT room_id, user_id, role, last_read_seq, muted_until_ms FROM members \
                     WHERE room_id = wanted.room_id AND user_id = wanted.user_id LIMIT 1) AS found",
                [
                    Column::Text(pairs.iter().map(|(room, _)| room.as_str()).collect()),
                    Column::Text(pairs.iter().map(|(_, user)| user.as_str()).collect()),
                ],
            )
            .load(connection)?;
            Ok(rows.into_iter().map(|(pair, row)| (pair, member(row))).collect())
        }
        Db::Sqlite(connection) => {
            let mut found = Vec::new();
            for (room, user) in pairs {
                let one = members::table.find((room, user)).select(COLUMNS);
                let row: Option<Row> = one.first(connection).optional()?;
                found.extend(row.map(|row| ((*room, *user), member(row))));
            }
            Ok(found)
        }
    }
}

pub(crate) fn insert(
    db: &mut Db,
    room: RoomId,
    user: UserId,
    member: &Member,
    at: Timestamp,
) -> QueryResult<()> {
    diesel::insert_into(members::table)
        .values((
            members::room_id.eq(room),
            members::user_id.eq(user),
            members::role.eq(member.role),
            members::last_read_seq.eq(member.last_read),
            members::muted_until_ms.eq(member.muted_until),
            members::joined_at_ms.eq(at),
        ))
        .execute(db)?;
    Ok(())
}

pub(crate) fn delete(db: &mut Db, room: RoomId, user: UserId) -> QueryResult<()> {
    diesel::delete(members::table.find((room, user))).execute(db)?;
    Ok(())
}

pub(crate) fn update(db: &mut Db, room: RoomId, user: UserId, member: &Member) -> QueryResult<()> {
    diesel::update(members::table.find((room, user)))
        .set((
            members::role.eq(member.role),
            members::last_read_seq.eq(member.last_read),
            members::muted_until_ms.eq(member.muted_until),
        ))
        .execute(db)?;
    Ok(())
}

/// Writes down how far these members have read.
pub(crate) fn store_marks(db: &mut Db, marks: &[((RoomId, UserId), Seq)]) -> QueryResult<()> {
    match db {
        Db::Pg(connection) => {
            Over::<()>::new(
                "UPDATE members SET last_read_seq = new.seq FROM unnest(?, ?, ?) AS new (room, reader, seq) \
                 WHERE members.room_id = new.room AND members.user_id = new.reader",
                [
                    Column::Text(marks.iter().map(|((room, _), _)| room.as_str()).collect()),
                    Column::Text(marks.iter().map(|((_, user), _)| user.as_str()).collect()),
                    Column::Number(marks.iter().map(|(_, seq)| seq.0).collect()),
                ],
            )
            .execute(connection)?;
        }
        Db::Sqlite(connection) => {
            for (member, seq) in marks {
                diesel::update(members::table.find(*member))
                    .set(members::last_read_seq.eq(seq))
                    .execute(connection)?;
            }
        }
    }
    Ok(())
}

pub(crate) fn owners_of(db: &mut Db, room: RoomId) -> QueryResult<Vec<UserId>> {
    members::table
        .filter(members::room_id.eq(room).and(members::role.eq(Role::Owner)))
        .select(members::user_id)
        .limit(2)
        .load(db)
}

/// Who becomes owner when the last one goes: the one with the most power, then the longest there.
pub(crate) fn heir_of(db: &mut Db, room: RoomId, but: UserId) -> QueryResult<Option<UserId>> {
    members::table
        .filter(members::room_id.eq(room).and(members::user_id.ne(but)))
        // `moderator` sorts after `member`.
        .order((members::role.desc(), members::joined_at_ms, members::user_id))
        .select(members::user_id)
        .first(db)
        .optional()
}

/// A page of a room's members by id, after `after`, with what is known of them.
pub(crate) fn page(
    db: &mut Db,
    room: RoomId,
    after: Option<UserId>,
    limit: i64,
) -> QueryResult<Vec<(UserId, Member, Option<Profile>)>> {
    let mut query = members::table
        .left_join(profiles::table.on(profiles::user_id.eq(members::user_id)))
        .filter(members::room_id.eq(room))
        .order(members::user_id)
        .limit(limit)
        .select((members::user_id, COLUMNS, super::profiles::COLUMNS.nullable()))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(members::user_id.gt(after));
    }
    let rows: Vec<(UserId, Row, Option<super::profiles::Row>)> = query.load(db)?;
    Ok(rows
        .into_iter()
        .map(|(user, row, profile)| (user, member(row), profile.map(super::profiles::profile)))
        .collect())
}

/// The other one in a direct room.
pub(crate) fn peer_of(db: &mut Db, room: RoomId, user: UserId) -> QueryResult<Option<UserId>> {
    members::table
        .filter(members::room_id.eq(room).and(members::user_id.ne(user)))
        .select(members::user_id)
        .first(db)
        .optional()
}

/// All rooms that a user is in, the newest first.
pub(crate) fn rooms_of(db: &mut Db, user: UserId) -> QueryResult<Vec<RoomId>> {
    members::table
        .filter(members::user_id.eq(user))
        .order(members::room_id.desc())
        .select(members::room_id)
        .load(db)
}

/// Which of these users are in the room.
pub(crate) fn among(db: &mut Db, room: RoomId, users: &[UserId]) -> QueryResult<Vec<UserId>> {
    members::table
        .filter(members::room_id.eq(room).and(members::user_id.eq_any(users)))
        .select(members::user_id)
        .load(db)
}
