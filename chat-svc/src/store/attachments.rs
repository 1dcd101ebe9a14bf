//! Table `attachments`: what was uploaded, where it is used, and what is to be deleted.

use diesel::{dsl::sql, prelude::*, sql_types::BigInt};
use irongate_shared::{clock::Timestamp, db::Db, id::UserId};

use super::schema::attachments;
use crate::room::{Attachment, AttachmentId, RoomId, Seq};

/// An upload with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = attachments)]
pub(crate) struct Upload {
    pub id: AttachmentId,
    pub room_id: RoomId,
    pub uploader_id: UserId,
    pub seq: Option<Seq>,
    pub name: String,
    pub content_type: String,
    pub size: i64,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub created_at_ms: Timestamp,
}

impl From<Upload> for Attachment {
    fn from(upload: Upload) -> Self {
        Self {
            id: upload.id,
            name: upload.name,
            content_type: upload.content_type,
            size: upload.size,
            width: upload.width,
            height: upload.height,
        }
    }
}

pub(crate) fn insert(db: &mut Db, new: &Upload) -> QueryResult<()> {
    diesel::insert_into(attachments::table).values(new).execute(db)?;
    Ok(())
}

/// Unless it was removed.
pub(crate) fn find(db: &mut Db, id: AttachmentId) -> QueryResult<Option<Upload>> {
    attachments::table
        .find(id)
        .filter(attachments::removed_at_ms.is_null())
        .select(Upload::as_select())
        .first(db)
        .optional()
}

/// How many bytes a user keeps in all rooms.
pub(crate) fn bytes_of(db: &mut Db, user: UserId) -> QueryResult<i64> {
    attachments::table
        .filter(attachments::uploader_id.eq(user).and(attachments::removed_at_ms.is_null()))
        .select(sql::<BigInt>("CAST(COALESCE(SUM(size), 0) AS BIGINT)"))
        .first(db)
}

/// Those among `ids` that the user uploaded to the room and has not sent, locked until the transaction ends: nothing
/// else sends or removes them.
pub(crate) fn lock_unsent(
    db: &mut Db,
    room: RoomId,
    user: UserId,
    ids: &[AttachmentId],
) -> QueryResult<Vec<Attachment>> {
    let these = attachments::table
        .filter(attachments::id.eq_any(ids))
        .filter(attachments::room_id.eq(room))
        .filter(attachments::uploader_id.eq(user))
        .filter(attachments::seq.is_null())
        .filter(attachments::removed_at_ms.is_null());
    let uploads: Vec<Upload> = match db {
        Db::Pg(connection) => these.for_update().select(Upload::as_select()).load(connection)?,
        // The transaction holds the one write lock already.
        Db::Sqlite(connection) => these.select(Upload::as_select()).load(connection)?,
    };
    Ok(uploads.into_iter().map(Attachment::from).collect())
}

pub(crate) fn put_in(db: &mut Db, ids: &[AttachmentId], seq: Seq) -> QueryResult<()> {
    diesel::update(attachments::table.filter(attachments::id.eq_any(ids)))
        .set(attachments::seq.eq(seq))
        .execute(db)?;
    Ok(())
}

/// Those of a message that is deleted.
pub(crate) fn remove_those_in(db: &mut Db, room: RoomId, seq: Seq, at: Timestamp) -> QueryResult<()> {
    diesel::update(attachments::table.filter(attachments::room_id.eq(room).and(attachments::seq.eq(seq))))
        .set(attachments::removed_at_ms.eq(at))
        .execute(db)?;
    Ok(())
}

/// Those of a room that is deleted.
pub(crate) fn remove_all_of(db: &mut Db, room: RoomId, at: Timestamp) -> QueryResult<()> {
    diesel::update(attachments::table.filter(attachments::room_id.eq(room)))
        .set(attachments::removed_at_ms.eq(at))
        .execute(db)?;
    Ok(())
}

pub(crate) fn remove(db: &mut Db, id: AttachmentId, at: Timestamp) -> QueryResult<()> {
    diesel::update(attachments::table.find(id)).set(attachments::removed_at_ms.eq(at)).execute(db)?;
    Ok(())
}

/// Removes what was uploaded before `before` and is in no message; says how many.
pub(crate) fn remove_unsent(db: &mut Db, before: Timestamp, at: Timestamp) -> QueryResult<usize> {
    let unsent = attachments::table
        .filter(attachments::seq.is_null())
        .filter(attachments::created_at_ms.lt(before))
        .filter(attachments::removed_at_ms.is_null());
    diesel::update(unsent).set(attachments::removed_at_ms.eq(at)).execute(db)
}

/// Whether [`remove_unsent`] would find something: asking takes no lock.
pub(crate) fn any_unsent(db: &mut Db, before: Timestamp) -> QueryResult<bool> {
    let one: Option<AttachmentId> = attachments::table
        .filter(attachments::seq.is_null())
        .filter(attachments::created_at_ms.lt(before))
        .filter(attachments::removed_at_ms.is_null())
        .select(attachments::id)
        .first(db)
        .optional()?;
    Ok(one.is_some())
}

/// Whose files are to be deleted.
pub(crate) fn removed(db: &mut Db, limit: i64) -> QueryResult<Vec<AttachmentId>> {
    attachments::table
        .filter(attachments::removed_at_ms.is_not_null())
        .order(attachments::removed_at_ms)
        .limit(limit)
        .select(attachments::id)
        .load(db)
}

/// Once the file is gone.
pub(crate) fn forget(db: &mut Db, id: AttachmentId) -> QueryResult<()> {
    diesel::delete(attachments::table.find(id)).execute(db)?;
    Ok(())
}
