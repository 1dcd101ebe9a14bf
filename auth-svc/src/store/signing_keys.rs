//! Table `signing_keys`.

use diesel::{connection::SimpleConnection as _, prelude::*};
use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
};

use super::schema::signing_keys;

#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = signing_keys)]
pub(crate) struct KeyRow {
    pub kid: String,
    pub public_key: Vec<u8>,
    pub private_key: Vec<u8>,
    pub created_at_ms: Timestamp,
    pub expires_at_ms: Timestamp,
}

pub(crate) fn valid_at(db: &mut Db, at: Timestamp) -> Result<Vec<KeyRow>, DbError> {
    Ok(signing_keys::table
        .filter(signing_keys::expires_at_ms.gt(at))
        .order(signing_keys::created_at_ms)
        .load(db)?)
}

/// Keeps others from making a key until this transaction ends; reading goes on. On SQLite a transaction that writes is
/// alone anyway.
pub(crate) fn lock(db: &mut Db) -> Result<(), DbError> {
    if let Db::Pg(connection) = db {
        connection.batch_execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")?;
    }
    Ok(())
}

pub(crate) fn insert(db: &mut Db, key: &KeyRow) -> Result<(), DbError> {
    diesel::insert_into(signing_keys::table).values(key).execute(db)?;
    Ok(())
}

pub(crate) fn delete_expired(db: &mut Db, now: Timestamp) -> Result<usize, DbError> {
    Ok(diesel::delete(signing_keys::table.filter(signing_keys::expires_at_ms.le(now))).execute(db)?)
}
