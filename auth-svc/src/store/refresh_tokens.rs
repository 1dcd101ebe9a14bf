//! Table `refresh_tokens`.

use diesel::prelude::*;
use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::SessionId,
};

use super::schema::refresh_tokens;

#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = refresh_tokens)]
pub(crate) struct RefreshRow {
    pub hash: Vec<u8>,
    pub session_id: SessionId,
    pub salt: Vec<u8>,
    pub created_at_ms: Timestamp,
    pub expires_at_ms: Timestamp,
    pub replaced_at_ms: Option<Timestamp>,
}

pub(crate) fn insert(db: &mut Db, token: &RefreshRow) -> Result<(), DbError> {
    diesel::insert_into(refresh_tokens::table).values(token).execute(db)?;
    Ok(())
}

pub(crate) fn by_hash(db: &mut Db, hash: &[u8]) -> Result<Option<RefreshRow>, DbError> {
    Ok(refresh_tokens::table.find(hash).first(db).optional()?)
}

/// Marks a token as replaced, if nobody did before: of any number who try at once, one gets `true`.
pub(crate) fn replace(db: &mut Db, hash: &[u8], now: Timestamp) -> Result<bool, DbError> {
    let unused = refresh_tokens::table.find(hash).filter(refresh_tokens::replaced_at_ms.is_null());
    Ok(diesel::update(unused).set(refresh_tokens::replaced_at_ms.eq(Some(now))).execute(db)? > 0)
}

/// Deletes what ran out before `before`.
pub(crate) fn delete_expired(db: &mut Db, before: Timestamp) -> Result<usize, DbError> {
    Ok(diesel::delete(refresh_tokens::table.filter(refresh_tokens::expires_at_ms.lt(before))).execute(db)?)
}
