//! Table `rooms`.

use diesel::prelude::*;
use irongate_shared::{clock::Timestamp, db::Db, id::UserId};

use super::{
    arrays::{Column, Over},
    schema::{members, messages, rooms},
};
use crate::room::{Kind, Member, Role, Room, RoomId, Seq};

#[derive(Queryable, Selectable)]
#[diesel(table_name = rooms)]
pub(super) struct Row {
    id: RoomId,
    kind: Kind,
    name: Option<String>,
    topic: String,
    created_by: UserId,
    last_seq: Seq,
    member_count: i64,
    created_at_ms: Timestamp,
}

impl From<Row> for Room {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            name: row.name,
            topic: row.topic,
            created_by: row.created_by,
            last_seq: row.last_seq,
            members: row.member_count,
            created_at: row.created_at_ms,
        }
    }
}

/// The rooms of these ids, locked until the transaction ends: whoever else appends to one of them waits. In the order
/// of their ids, so that two that lock several do not wait for each other.
pub(crate) fn lock(db: &mut Db, ids: &[RoomId]) -> QueryResult<Vec<Room>> {
    let these = rooms::table.filter(rooms::id.eq_any(ids)).order(rooms::id);
    let rows: Vec<Row> = match db {
        Db::Pg(connection) => these.for_update().select(Row::as_select()).load(connection)?,
        // The transaction holds the one write lock already.
        Db::Sqlite(connection) => these.select(Row::as_select()).load(connection)?,
    };
    Ok(rows.into_iter().map(Room::from).collect())
}

pub(crate) fn find(db: &mut Db, id: RoomId) -> QueryResult<Option<Room>> {
    let row = rooms::table.find(id).select(Row::as_select()).first(db).optional()?;
    Ok(row.map(Room::from))
}

/// A room, and the user's place in it.
pub(crate) fn find_for(db: &mut Db, id: RoomId, user: UserId) -> QueryResult<Option<(Room, Option<Member>)>> {
    let Some(room) = find(db, id)? else { return Ok(None) };
    let member = super::members::find(db, id, user)?;
    Ok(Some((room, member)))
}

pub(crate) fn insert(db: &mut Db, room: &Room, name_key: Option<String>) -> QueryResult<()> {
    diesel::insert_into(rooms::table)
        .values((
            rooms::id.eq(room.id),
            rooms::kind.eq(room.kind),
            rooms::name.eq(&room.name),
            rooms::name_key.eq(name_key),
            rooms::topic.eq(&room.topic),
            rooms::created_by.eq(room.created_by),
            rooms::last_seq.eq(room.last_seq),
            rooms::member_count.eq(room.members),
            rooms::created_at_ms.eq(room.created_at),
        ))
        .execute(db)?;
    Ok(())
}

/// Writes down where the logs of these rooms end, and how many members they have.
pub(crate) fn store_ends(db: &mut Db, ends: &[(RoomId, Seq, i64)]) -> QueryResult<()> {
    match db {
        Db::Pg(connection) => {
            Over::<()>::new(
                "UPDATE rooms SET last_seq = new.seq, member_count = new.members \
                 FROM unnest(?, ?, ?) AS new (id, seq, members) WHERE rooms.id = new.id",
                [
                    Column::Text(ends.iter().map(|(id, ..)| id.as_str()).collect()),
                    Column::Number(ends.iter().map(|(_, seq, _)| seq.0).collect()),
                    Column::Number(ends.iter().map(|(.., count)| *count).collect()),
                ],
            )
            .execute(connection)?;
        }
        Db::Sqlite(connection) => {
            for (id, seq, count) in ends {
                diesel::update(rooms::table.find(id))
                    .set((rooms::last_seq.eq(seq), rooms::member_count.eq(count)))
                    .execute(connection)?;
            }
        }
    }
    Ok(())
}

pub(crate) fn change(
    db: &mut Db,
    id: RoomId,
    name: Option<&str>,
    name_key: Option<&str>,
    topic: &str,
) -> QueryResult<()> {
    diesel::update(rooms::table.find(id))
        .set((rooms::name.eq(name), rooms::name_key.eq(name_key), rooms::topic.eq(topic)))
        .execute(db)?;
    Ok(())
}

/// Deletes the room with everything in it.
pub(crate) fn delete(db: &mut Db, id: RoomId) -> QueryResult<()> {
    diesel::delete(rooms::table.find(id)).execute(db)?;
    Ok(())
}

/// Where the logs of these rooms end; rooms that are gone are not among them.
pub(crate) fn ends_of(db: &mut Db, ids: &[RoomId]) -> QueryResult<Vec<(RoomId, Seq)>> {
    rooms::table.filter(rooms::id.eq_any(ids)).select((rooms::id, rooms::last_seq)).load(db)
}

/// Which of these rooms show this user's name: as a member's, or over a message.
pub(crate) fn that_show(db: &mut Db, user: UserId, ids: &[RoomId]) -> QueryResult<Vec<RoomId>> {
    use diesel::dsl::exists;
    let member = members::table.filter(members::room_id.eq(rooms::id).and(members::user_id.eq(user)));
    let wrote = messages::table.filter(messages::room_id.eq(rooms::id).and(messages::sender_id.eq(user)));
    rooms::table
        .filter(rooms::id.eq_any(ids))
        .filter(exists(member).or(exists(wrote)))
        .select(rooms::id)
        .load(db)
}

/// A page of the rooms that a user is in, the newest room first, before the room `after` in that order.
pub(crate) fn page_of_user(
    db: &mut Db,
    user: UserId,
    search: Option<&str>,
    after: Option<RoomId>,
    limit: i64,
) -> QueryResult<Vec<(Room, Option<Member>)>> {
    let mut query = rooms::table
        .inner_join(members::table.on(members::room_id.eq(rooms::id)))
        .filter(members::user_id.eq(user))
        .order(members::room_id.desc())
        .limit(limit)
        .select((Row::as_select(), MEMBERSHIP))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(members::room_id.lt(after));
    }
    if let Some(search) = search {
        query = query.filter(rooms::name_key.like(contains(search)).escape('\\'));
    }
    let rows: Vec<(Row, MembershipRow)> = query.load(db)?;
    Ok(rows.into_iter().map(|(room, member)| (room.into(), Some(membership(member)))).collect())
}

/// A page of a user's rooms, by id, whose log goes on after what the user has read; and how far that is.
pub(crate) fn ahead_of(
    db: &mut Db,
    user: UserId,
    after: Option<RoomId>,
    limit: i64,
) -> QueryResult<Vec<(RoomId, Seq)>> {
    let mut query = rooms::table
        .inner_join(members::table.on(members::room_id.eq(rooms::id)))
        .filter(members::user_id.eq(user).and(rooms::last_seq.gt(members::last_read_seq)))
        .order(members::room_id)
        .limit(limit)
        .select((members::room_id, members::last_read_seq))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(members::room_id.gt(after));
    }
    query.load(db)
}

/// A page of the public rooms by name, after the room with this name and id.
pub(crate) fn page_of_public(
    db: &mut Db,
    user: UserId,
    search: Option<&str>,
    after: Option<(String, RoomId)>,
    limit: i64,
) -> QueryResult<Vec<(Room, Option<Member>)>> {
    let mut query = rooms::table
        .left_join(members::table.on(members::room_id.eq(rooms::id).and(members::user_id.eq(user))))
        .filter(rooms::kind.eq(Kind::Public))
        .order((rooms::name_key, rooms::id))
        .limit(limit)
        .select((
            Row::as_select(),
            (members::role, members::last_read_seq, members::muted_until_ms.nullable()).nullable(),
        ))
        .into_boxed();
    if let Some((name, id)) = after {
        query =
            query.filter(rooms::name_key.gt(name.clone()).or(rooms::name_key.eq(name).and(rooms::id.gt(id))));
    }
    if let Some(search) = search {
        query = query.filter(rooms::name_key.like(contains(search)).escape('\\'));
    }
    let rows: Vec<(Row, Option<MembershipRow>)> = query.load(db)?;
    Ok(rows.into_iter().map(|(room, member)| (room.into(), member.map(membership))).collect())
}

type MembershipRow = (Role, Seq, Option<Timestamp>);

const MEMBERSHIP: (members::role, members::last_read_seq, members::muted_until_ms) =
    (members::role, members::last_read_seq, members::muted_until_ms);

fn membership((role, last_read, muted_until): MembershipRow) -> Member {
    Member { role, last_read, muted_until }
}

/// A `LIKE` pattern for texts that contain `part`.
fn contains(part: &str) -> String {
    let escaped = part.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    format!("%{escaped}%")
}
