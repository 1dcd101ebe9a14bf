//! Tables `mails` and `mailed_links`.

use diesel::prelude::*;
use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
};

use super::schema::{mailed_links, mails};

#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = mails)]
pub(crate) struct MailRow {
    pub id: String,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    pub created_at_ms: Timestamp,
    pub attempts: i64,
    pub next_attempt_at_ms: Timestamp,
}

pub(crate) fn insert(db: &mut Db, mail: &MailRow) -> Result<(), DbError> {
    diesel::insert_into(mails::table).values(mail).execute(db)?;
    Ok(())
}

/// The mail that is due for the longest, taken until `until`: nobody else gets it before that.
pub(crate) fn take(db: &mut Db, now: Timestamp, until: Timestamp) -> Result<Option<MailRow>, DbError> {
    let due: Option<MailRow> = mails::table
        .filter(mails::next_attempt_at_ms.le(now))
        .order(mails::next_attempt_at_ms)
        .first(db)
        .optional()?;
    let Some(mail) = due else { return Ok(None) };
    let untaken = mails::table.find(&mail.id).filter(mails::next_attempt_at_ms.eq(mail.next_attempt_at_ms));
    let taken = diesel::update(untaken)
        .set((mails::next_attempt_at_ms.eq(until), mails::attempts.eq(mails::attempts + 1)))
        .execute(db)?;
    Ok((taken > 0).then_some(mail))
}

pub(crate) fn delete(db: &mut Db, id: &str) -> Result<(), DbError> {
    diesel::delete(mails::table.find(id)).execute(db)?;
    Ok(())
}

#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = mailed_links)]
pub(crate) struct LinkRow {
    pub hash: Vec<u8>,
    pub purpose: String,
    pub user_id: UserId,
    pub email_key: String,
    pub expires_at_ms: Timestamp,
}

pub(crate) fn insert_link(db: &mut Db, link: &LinkRow) -> Result<(), DbError> {
    diesel::insert_into(mailed_links::table).values(link).execute(db)?;
    Ok(())
}

pub(crate) fn link(
    db: &mut Db,
    hash: &[u8],
    purpose: &str,
    now: Timestamp,
) -> Result<Option<LinkRow>, DbError> {
    let row = mailed_links::table
        .find(hash)
        .filter(mailed_links::purpose.eq(purpose))
        .filter(mailed_links::expires_at_ms.gt(now));
    Ok(row.first(db).optional()?)
}

/// Uses a link up: of any number who try at once, one gets `true`.
pub(crate) fn use_link(db: &mut Db, hash: &[u8]) -> Result<bool, DbError> {
    Ok(diesel::delete(mailed_links::table.find(hash)).execute(db)? > 0)
}

/// Makes all of a user's links for one purpose worth nothing.
pub(crate) fn delete_links_of(db: &mut Db, user: UserId, purpose: &str) -> Result<(), DbError> {
    let links =
        mailed_links::table.filter(mailed_links::user_id.eq(user)).filter(mailed_links::purpose.eq(purpose));
    diesel::delete(links).execute(db)?;
    Ok(())
}

pub(crate) fn delete_expired_links(db: &mut Db, now: Timestamp) -> Result<usize, DbError> {
    Ok(diesel::delete(mailed_links::table.filter(mailed_links::expires_at_ms.le(now))).execute(db)?)
}

/// Whether a mail is due.
pub(crate) fn is_due(db: &mut Db, now: Timestamp) -> Result<bool, DbError> {
    let due = mails::table.filter(mails::next_attempt_at_ms.le(now));
    Ok(diesel::select(diesel::dsl::exists(due)).get_result(db)?)
}

pub(crate) fn postpone(db: &mut Db, id: &str, until: Timestamp) -> Result<(), DbError> {
    diesel::update(mails::table.find(id)).set(mails::next_attempt_at_ms.eq(until)).execute(db)?;
    Ok(())
}

/// Whether the user has a link that is still good.
pub(crate) fn has_link(db: &mut Db, user: UserId, now: Timestamp) -> Result<bool, DbError> {
    let links = mailed_links::table
        .filter(mailed_links::user_id.eq(user))
        .filter(mailed_links::expires_at_ms.gt(now));
    Ok(diesel::select(diesel::dsl::exists(links)).get_result(db)?)
}

pub(crate) fn delete_all_links_of(db: &mut Db, user: UserId) -> Result<(), DbError> {
    diesel::delete(mailed_links::table.filter(mailed_links::user_id.eq(user))).execute(db)?;
    Ok(())
}
