//! Table `audit_log`.

use diesel::prelude::*;
use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
};

use super::schema::audit_log;

#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = audit_log)]
pub(crate) struct AuditRow {
    pub id: String,
    pub user_id: Option<UserId>,
    pub actor_id: Option<UserId>,
    pub event: String,
    pub ip: String,
    pub user_agent: Option<String>,
    pub created_at_ms: Timestamp,
}

pub(crate) fn insert(db: &mut Db, row: &AuditRow) -> Result<(), DbError> {
    diesel::insert_into(audit_log::table).values(row).execute(db)?;
    Ok(())
}

/// The newest first, from before the id `before` if given; of one user, or of all.
pub(crate) fn page(
    db: &mut Db,
    user: Option<UserId>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<AuditRow>, DbError> {
    let mut rows = audit_log::table.order(audit_log::id.desc()).limit(limit).into_boxed();
    if let Some(user) = user {
        rows = rows.filter(audit_log::user_id.eq(user));
    }
    if let Some(before) = before {
        rows = rows.filter(audit_log::id.lt(before.to_owned()));
    }
    Ok(rows.load(db)?)
}

pub(crate) fn delete_before(db: &mut Db, before: Timestamp) -> Result<usize, DbError> {
    Ok(diesel::delete(audit_log::table.filter(audit_log::created_at_ms.lt(before))).execute(db)?)
}

pub(crate) fn delete_of(db: &mut Db, user: UserId) -> Result<(), DbError> {
    diesel::delete(audit_log::table.filter(audit_log::user_id.eq(user))).execute(db)?;
    Ok(())
}
