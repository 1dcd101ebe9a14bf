//! Table `reactions`.

use std::collections::HashMap;

use diesel::prelude::*;
use irongate_shared::{clock::Timestamp, db::Db, id::UserId};

use super::schema::reactions;
use crate::room::{Message, Reaction, RoomId, Seq};

pub(crate) fn exists(db: &mut Db, room: RoomId, seq: Seq, emoji: &str, user: UserId) -> QueryResult<bool> {
    let found: Option<Seq> =
        reactions::table.find((room, seq, emoji, user)).select(reactions::seq).first(db).optional()?;
    Ok(found.is_some())
}

/// How many different emoji stand under a message.
pub(crate) fn kinds(db: &mut Db, room: RoomId, seq: Seq) -> QueryResult<usize> {
    let emoji: Vec<String> = reactions::table
        .filter(reactions::room_id.eq(room).and(reactions::seq.eq(seq)))
        .select(reactions::emoji)
        .distinct()
        .load(db)?;
    Ok(emoji.len())
}

pub(crate) fn insert(
    db: &mut Db,
    room: RoomId,
    seq: Seq,
    emoji: &str,
    user: UserId,
    at: Timestamp,
) -> QueryResult<()> {
    diesel::insert_into(reactions::table)
        .values((
            reactions::room_id.eq(room),
            reactions::seq.eq(seq),
            reactions::emoji.eq(emoji),
            reactions::user_id.eq(user),
            reactions::created_at_ms.eq(at),
        ))
        .execute(db)?;
    Ok(())
}

pub(crate) fn delete(db: &mut Db, room: RoomId, seq: Seq, emoji: &str, user: UserId) -> QueryResult<()> {
    diesel::delete(reactions::table.find((room, seq, emoji, user))).execute(db)?;
    Ok(())
}

/// All of a message's, when it is deleted.
pub(crate) fn clear(db: &mut Db, room: RoomId, seq: Seq) -> QueryResult<()> {
    diesel::delete(reactions::table.filter(reactions::room_id.eq(room).and(reactions::seq.eq(seq))))
        .execute(db)?;
    Ok(())
}

/// Puts the reactions under the messages of one room.
pub(crate) fn put_under(db: &mut Db, room: RoomId, messages: &mut [Message]) -> QueryResult<()> {
    let seqs: Vec<_> = messages.iter().map(|message| message.seq).collect();
    let rows: Vec<(Seq, String, UserId)> = reactions::table
        .filter(reactions::room_id.eq(room).and(reactions::seq.eq_any(seqs)))
        .order((reactions::created_at_ms, reactions::user_id))
        .select((reactions::seq, reactions::emoji, reactions::user_id))
        .load(db)?;
    let mut by_message: HashMap<Seq, Vec<Reaction>> = HashMap::new();
    for (seq, emoji, user) in rows {
        let under = by_message.entry(seq).or_default();
        match under.iter_mut().find(|reaction| reaction.emoji == emoji) {
            Some(reaction) => reaction.users.push(user),
            None => under.push(Reaction { emoji, users: vec![user] }),
        }
    }
    for message in messages {
        message.reactions = by_message.remove(&message.seq).unwrap_or_default();
    }
    Ok(())
}
