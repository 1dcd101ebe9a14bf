//! A room's log as one: tables `messages` and `room_events`, merged by seq.

use std::collections::HashMap;

use diesel::prelude::*;
use irongate_shared::{clock::Timestamp, db::Db, id::UserId};

use super::{
    arrays::{Column, Over},
    messages,
    schema::{messages as messages_table, room_events},
};
use crate::room::{Entry, Event, EventKind, Message, Profile, RoomId, Seq, With};

#[derive(Queryable, Selectable)]
#[diesel(table_name = room_events)]
struct Row {
    room_id: RoomId,
    seq: Seq,
    kind: EventKind,
    actor_id: UserId,
    ref_seq: Option<Seq>,
    subject: Option<String>,
    detail: Option<String>,
    created_at_ms: Timestamp,
}

#[derive(Insertable)]
#[diesel(table_name = room_events, treat_none_as_default_value = false)]
struct NewRow<'a> {
    room_id: RoomId,
    seq: Seq,
    kind: EventKind,
    actor_id: UserId,
    ref_seq: Option<Seq>,
    subject: Option<&'a str>,
    detail: Option<&'a str>,
    created_at_ms: Timestamp,
}

pub(crate) fn insert_all(db: &mut Db, new: &[Entry]) -> QueryResult<()> {
    match db {
        Db::Pg(connection) => {
            Over::<()>::new(
                "INSERT INTO room_events (room_id, seq, kind, actor_id, ref_seq, subject, detail, created_at_ms) \
                 SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    Column::Text(new.iter().map(|entry| entry.room.as_str()).collect()),
                    Column::Number(new.iter().map(|entry| entry.seq.0).collect()),
                    Column::Text(new.iter().map(|entry| entry.kind.as_str()).collect()),
                    Column::Text(new.iter().map(|entry| entry.actor.as_str()).collect()),
                    Column::MaybeNumber(new.iter().map(|entry| Some(entry.message?.0)).collect()),
                    Column::MaybeText(new.iter().map(|entry| entry.subject.as_deref()).collect()),
                    Column::MaybeText(new.iter().map(|entry| entry.detail.as_deref()).collect()),
                    Column::Number(new.iter().map(|entry| entry.at.as_millis()).collect()),
                ],
            )
            .execute(connection)?;
        }
        Db::Sqlite(connection) => {
            let rows: Vec<_> = new
                .iter()
                .map(|entry| NewRow {
                    room_id: entry.room,
                    seq: entry.seq,
                    kind: entry.kind,
                    actor_id: entry.actor,
                    ref_seq: entry.message,
                    subject: entry.subject.as_deref(),
                    detail: entry.detail.as_deref(),
                    created_at_ms: entry.at,
                })
                .collect();
            diesel::insert_into(room_events::table).values(&rows).execute(connection)?;
        }
    }
    Ok(())
}

/// The events of a room that follow `after`, at most `limit`, without a hole.
pub(crate) fn events_after(db: &mut Db, room: RoomId, after: Seq, limit: i64) -> QueryResult<Vec<Event>> {
    let sent: Vec<messages::Row> = messages_table::table
        .filter(messages_table::room_id.eq(room).and(messages_table::seq.gt(after)))
        .order(messages_table::seq)
        .limit(limit)
        .select(messages::Row::as_select())
        .load(db)?;
    let rows: Vec<Row> = room_events::table
        .filter(room_events::room_id.eq(room).and(room_events::seq.gt(after)))
        .order(room_events::seq)
        .limit(limit)
        .select(Row::as_select())
        .load(db)?;
    let mut events: Vec<Event> = sent.into_iter().map(|row| Message::from(row).to_event()).collect();
    events.extend(entries(db, room, rows)?.iter().map(Entry::to_event));
    events.sort_unstable_by_key(|event| event.seq);
    // The two tables are read one after the other; what was committed in between may stand in the second alone.
    let mut expected = after;
    let whole = events.iter().take_while(|event| {
        expected = expected.next();
        event.seq == expected
    });
    let whole = whole.count().min(usize::try_from(limit).unwrap_or(usize::MAX));
    events.truncate(whole);
    Ok(events)
}

/// Adds to the rows what their frames show besides.
fn entries(db: &mut Db, room: RoomId, rows: Vec<Row>) -> QueryResult<Vec<Entry>> {
    let edited: Vec<_> =
        rows.iter().filter(|row| row.kind == EventKind::Edit).filter_map(|row| row.ref_seq).collect();
    let mut bodies: HashMap<Seq, Option<String>> = if edited.is_empty() {
        HashMap::new()
    } else {
        messages::bodies(db, room, &edited)?.into_iter().collect()
    };
    let about: Vec<UserId> = rows.iter().filter_map(|row| row.subject.as_deref()?.parse().ok()).collect();
    let profiles: HashMap<UserId, Profile> = if about.is_empty() {
        HashMap::new()
    } else {
        super::profiles::find_all(db, &about)?.into_iter().map(|profile| (profile.id, profile)).collect()
    };
    let changed = match rows.iter().any(|row| row.kind == EventKind::Changed) {
        true => super::rooms::find(db, room)?,
        false => None,
    };
    Ok(rows
        .into_iter()
        .map(|row| {
            let about = row.subject.as_deref().and_then(|subject| subject.parse::<UserId>().ok());
            let with = match (row.kind, about) {
                (EventKind::Edit, _) => With::Body(row.ref_seq.and_then(|seq| bodies.get_mut(&seq)?.clone())),
                (EventKind::Changed, _) => changed.as_ref().map_or(With::Nothing, |room| With::Room {
                    name: room.name.clone(),
                    topic: room.topic.clone(),
                }),
                (_, Some(user)) => {
                    With::Profile(profiles.get(&user).cloned().unwrap_or_else(|| Profile::unknown(user)))
                }
                (_, None) => With::Nothing,
            };
            Entry {
                room: row.room_id,
                seq: row.seq,
                kind: row.kind,
                actor: row.actor_id,
                message: row.ref_seq,
                subject: row.subject,
                detail: row.detail,
                at: row.created_at_ms,
                with,
            }
        })
        .collect())
}
