//! Table `messages`.

use diesel::prelude::*;
use irongate_shared::{clock::Timestamp, db::Db, id::UserId};

use super::{
    arrays::{Column, Over},
    schema::{members, messages},
};
use crate::room::{Attachment, Message, RoomId, Seq, Words};

#[derive(Queryable, Selectable)]
#[diesel(table_name = messages)]
pub(super) struct Row {
    room_id: RoomId,
    pub(super) seq: Seq,
    sender_id: UserId,
    client_id: String,
    body: Option<String>,
    reply_to: Option<Seq>,
    created_at_ms: Timestamp,
    edited_at_ms: Option<Timestamp>,
    deleted_at_ms: Option<Timestamp>,
    attachments: Option<String>,
}

impl From<Row> for Message {
    fn from(row: Row) -> Self {
        Self {
            room: row.room_id,
            seq: row.seq,
            from: row.sender_id,
            cid: row.client_id,
            ts: row.created_at_ms,
            body: row.body,
            reply_to: row.reply_to,
            edited_at: row.edited_at_ms,
            deleted: row.deleted_at_ms.is_some(),
            attachments: row.attachments.as_deref().map(read_attachments).unwrap_or_default(),
            reactions: Vec::new(),
        }
    }
}

// Without this SQLite would get one statement per row.
#[derive(Insertable)]
#[diesel(table_name = messages, treat_none_as_default_value = false)]
struct NewRow<'a> {
    room_id: RoomId,
    seq: Seq,
    sender_id: UserId,
    client_id: &'a str,
    body: Option<&'a str>,
    reply_to: Option<Seq>,
    created_at_ms: Timestamp,
    attachments: Option<String>,
}

fn read_attachments(json: &str) -> Vec<Attachment> {
    serde_json::from_str(json).unwrap_or_else(|why| {
        tracing::error!(reason = %why, "a message's attachments cannot be read");
        Vec::new()
    })
}

/// Nothing for none, which is most messages.
fn write_attachments(attachments: &[Attachment]) -> QueryResult<Option<String>> {
    if attachments.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(attachments)
        .map(Some)
        .map_err(|why| diesel::result::Error::SerializationError(why.into()))
}

pub(crate) fn insert_all(db: &mut Db, new: &[Message]) -> QueryResult<()> {
    let rows = new.iter().map(|message| {
        Ok(NewRow {
            room_id: message.room,
            seq: message.seq,
            sender_id: message.from,
            client_id: &message.cid,
            body: message.body.as_deref(),
            reply_to: message.reply_to,
            created_at_ms: message.ts,
            attachments: write_attachments(&message.attachments)?,
        })
    });
    let rows: Vec<_> = rows.collect::<QueryResult<_>>()?;
    match db {
        Db::Pg(connection) => {
            Over::<()>::new(
                "INSERT INTO messages (room_id, seq, sender_id, client_id, body, reply_to, created_at_ms, attachments) \
                 SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    Column::Text(rows.iter().map(|row| row.room_id.as_str()).collect()),
                    Column::Number(rows.iter().map(|row| row.seq.0).collect()),
                    Column::Text(rows.iter().map(|row| row.sender_id.as_str()).collect()),
                    Column::Text(rows.iter().map(|row| row.client_id).collect()),
                    Column::MaybeText(rows.iter().map(|row| row.body).collect()),
                    Column::MaybeNumber(rows.iter().map(|row| Some(row.reply_to?.0)).collect()),
                    Column::Number(rows.iter().map(|row| row.created_at_ms.as_millis()).collect()),
                    Column::MaybeText(rows.iter().map(|row| row.attachments.as_deref()).collect()),
                ],
            )
            .execute(connection)?;
        }
        Db::Sqlite(connection) => {
            diesel::insert_into(messages::table).values(&rows).execute(connection)?;
        }
    }
    Ok(())
}

pub(crate) fn find(db: &mut Db, room: RoomId, seq: Seq) -> QueryResult<Option<Message>> {
    let row: Option<Row> = messages::table.find((room, seq)).select(Row::as_select()).first(db).optional()?;
    Ok(row.map(Message::from))
}

/// A sender's own names for messages.
pub(crate) type SentAs = (RoomId, UserId, String);

/// The messages among these that are stored already.
pub(crate) fn sent_as(db: &mut Db, names: &[SentAs]) -> QueryResult<Vec<Message>> {
    let rows: Vec<Row> = match db {
        Db::Pg(connection) => {
            type Columns = diesel::dsl::SqlTypeOf<diesel::dsl::AsSelect<Row, diesel::pg::Pg>>;
            Over::<Columns>::new(
                "SELECT found.* FROM unnest(?, ?, ?) AS wanted (room_id, sender_id, client_id) CROSS JOIN LATERAL (\
                     SELECT room_id, seq, sender_id, client_id, body, reply_to, created_at_ms, edited_at_ms, \
                            deleted_at_ms, attachments FROM messages \
                     WHERE room_id = wanted.room_id AND sender_id = wanted.sender_id \
                       AND client_id = wanted.client_id LIMIT 1) AS found",
                [
                    Column::Text(names.iter().map(|(room, ..)| room.as_str()).collect()),
                    Column::Text(names.iter().map(|(_, sender, _)| sender.as_str()).collect()),
                    Column::Text(names.iter().map(|(.., cid)| cid.as_str()).collect()),
                ],
            )
            .load(connection)?
        }
        Db::Sqlite(connection) => {
            let mut found = Vec::new();
            for (room, sender, cid) in names {
                let one = messages::table
                    .filter(messages::room_id.eq(room))
                    .filter(messages::sender_id.eq(sender))
                    .filter(messages::client_id.eq(cid))
                    .select(Row::as_select());
                found.extend(one.first(connection).optional()?);
            }
            found
        }
    };
    Ok(rows.into_iter().map(Message::from).collect())
}

pub(crate) fn edit(db: &mut Db, room: RoomId, seq: Seq, body: &str, at: Timestamp) -> QueryResult<()> {
    diesel::update(messages::table.find((room, seq)))
        .set((messages::body.eq(body), messages::edited_at_ms.eq(at)))
        .execute(db)?;
    Ok(())
}

/// Empties the message; its place in the log stays.
pub(crate) fn delete(db: &mut Db, room: RoomId, seq: Seq, at: Timestamp) -> QueryResult<()> {
    diesel::update(messages::table.find((room, seq)))
        .set((
            messages::body.eq(None::<String>),
            messages::attachments.eq(None::<String>),
            messages::deleted_at_ms.eq(at),
        ))
        .execute(db)?;
    Ok(())
}

/// The newest messages before `before`, oldest first.
pub(crate) fn before(db: &mut Db, room: RoomId, before: Seq, limit: i64) -> QueryResult<Vec<Message>> {
    let rows: Vec<Row> = messages::table
        .filter(messages::room_id.eq(room).and(messages::seq.lt(before)))
        .order(messages::seq.desc())
        .limit(limit)
        .select(Row::as_select())
        .load(db)?;
    Ok(rows.into_iter().rev().map(Message::from).collect())
}

/// The oldest messages after `after`, oldest first.
pub(crate) fn after(db: &mut Db, room: RoomId, after: Seq, limit: i64) -> QueryResult<Vec<Message>> {
    let rows: Vec<Row> = messages::table
        .filter(messages::room_id.eq(room).and(messages::seq.gt(after)))
        .order(messages::seq)
        .limit(limit)
        .select(Row::as_select())
        .load(db)?;
    Ok(rows.into_iter().map(Message::from).collect())
}

/// How many messages of others a user has not read, counted up to `most`.
pub(crate) fn unread(db: &mut Db, room: RoomId, user: UserId, read: Seq, most: i64) -> QueryResult<usize> {
    let seqs: Vec<Seq> = messages::table
        .filter(messages::room_id.eq(room).and(messages::seq.gt(read)).and(messages::sender_id.ne(user)))
        .limit(most)
        .select(messages::seq)
        .load(db)?;
    Ok(seqs.len())
}

/// A message's place in the order of all rooms' messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub at: Timestamp,
    pub room: RoomId,
    pub seq: Seq,
}

/// The newest messages that hold these words, in rooms that the user is in, before the message at `before`.
pub(crate) fn found(
    db: &mut Db,
    user: UserId,
    words: &Words,
    room: Option<RoomId>,
    before: Option<Place>,
    limit: i64,
) -> QueryResult<Vec<Message>> {
    use diesel::{
        dsl::sql,
        sql_types::{BigInt, Bool, Text},
    };
    let hold = match db {
        Db::Pg(_) => "(messages.search @@ websearch_to_tsquery('simple', ",
        Db::Sqlite(_) => "(messages.row_id IN (SELECT rowid FROM messages_fts WHERE messages_fts MATCH ",
    };
    // SECURITY: in the query itself, so that no search sees a room between being let in and being shown the door.
    let mine = members::table.filter(members::user_id.eq(user)).select(members::room_id);
    let mut query = messages::table
        .filter(sql::<Bool>(hold).bind::<Text, _>(words.as_str()).sql("))"))
        .filter(messages::room_id.eq_any(mine))
        .order((messages::created_at_ms.desc(), messages::room_id.desc(), messages::seq.desc()))
        .limit(limit)
        .select(Row::as_select())
        .into_boxed();
    if let Some(room) = room {
        query = query.filter(messages::room_id.eq(room));
    }
    if let Some(Place { at, room, seq }) = before {
        query = query.filter(
            sql::<Bool>("(messages.created_at_ms, messages.room_id, messages.seq) < (")
                .bind::<BigInt, _>(at)
                .sql(", ")
                .bind::<Text, _>(room)
                .sql(", ")
                .bind::<BigInt, _>(seq)
                .sql(")"),
        );
    }
    let rows: Vec<Row> = query.load(db)?;
    Ok(rows.into_iter().map(Message::from).collect())
}

/// What these messages say now; deleted ones say nothing.
pub(crate) fn bodies(db: &mut Db, room: RoomId, seqs: &[Seq]) -> QueryResult<Vec<(Seq, Option<String>)>> {
    messages::table
        .filter(messages::room_id.eq(room).and(messages::seq.eq_any(seqs)))
        .select((messages::seq, messages::body))
        .load(db)
}
