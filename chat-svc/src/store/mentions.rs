//! Table `mentions`: whom messages call by name.

use diesel::prelude::*;
use irongate_shared::{db::Db, id::UserId};

use super::{
    arrays::{Column, Over},
    schema::mentions,
};
use crate::room::{RoomId, Seq};

/// Far below the number of values that SQLite takes in one statement.
const AT_ONCE: usize = 1_000;

/// A user who is mentioned in a message.
#[derive(Debug, Clone, Copy, Insertable)]
#[diesel(table_name = mentions)]
pub(crate) struct Mention {
    #[diesel(column_name = user_id)]
    pub user: UserId,
    #[diesel(column_name = room_id)]
    pub room: RoomId,
    pub seq: Seq,
}

/// The messages are stored already.
pub(crate) fn insert_all(db: &mut Db, new: &[Mention]) -> QueryResult<()> {
    match db {
        Db::Pg(connection) => {
            Over::<()>::new(
                "INSERT INTO mentions (user_id, room_id, seq) SELECT * FROM unnest(?, ?, ?)",
                [
                    Column::Text(new.iter().map(|mention| mention.user.as_str()).collect()),
                    Column::Text(new.iter().map(|mention| mention.room.as_str()).collect()),
                    Column::Number(new.iter().map(|mention| mention.seq.0).collect()),
                ],
            )
            .execute(connection)?;
        }
        Db::Sqlite(connection) => {
            for some in new.chunks(AT_ONCE) {
                diesel::insert_into(mentions::table).values(some).execute(connection)?;
            }
        }
    }
    Ok(())
}

/// All of a message's, when it is changed or deleted.
pub(crate) fn clear(db: &mut Db, room: RoomId, seq: Seq) -> QueryResult<()> {
    diesel::delete(mentions::table.filter(mentions::room_id.eq(room).and(mentions::seq.eq(seq))))
        .execute(db)?;
    Ok(())
}

/// How many messages that a user has not read mention that user, counted up to `most`.
pub(crate) fn unread(db: &mut Db, room: RoomId, user: UserId, read: Seq, most: i64) -> QueryResult<usize> {
    let seqs: Vec<Seq> = mentions::table
        .filter(mentions::user_id.eq(user).and(mentions::room_id.eq(room)).and(mentions::seq.gt(read)))
        .limit(most)
        .select(mentions::seq)
        .load(db)?;
    Ok(seqs.len())
}
