//! Tables `passkeys` and `passkey_ceremonies`.

use diesel::prelude::*;
use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    text_id,
};

use super::schema::{passkey_ceremonies, passkeys};

text_id! {
    /// A passkey, as its owner's list names it.
    PasskeyId
}

#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = passkeys)]
pub(crate) struct PasskeyRow {
    pub id: PasskeyId,
    pub user_id: UserId,
    pub credential_id: Vec<u8>,
    pub name: String,
    pub credential: String,
    pub created_at_ms: Timestamp,
    pub last_used_at_ms: Option<Timestamp>,
}

pub(crate) fn insert(db: &mut Db, passkey: &PasskeyRow) -> Result<(), DbError> {
    diesel::insert_into(passkeys::table).values(passkey).execute(db)?;
    Ok(())
}

/// Those of a user, the oldest first.
pub(crate) fn of(db: &mut Db, user: UserId) -> Result<Vec<PasskeyRow>, DbError> {
    Ok(passkeys::table.filter(passkeys::user_id.eq(user)).order(passkeys::id).load(db)?)
}

pub(crate) fn count_of(db: &mut Db, user: UserId) -> Result<i64, DbError> {
    Ok(passkeys::table.filter(passkeys::user_id.eq(user)).count().get_result(db)?)
}

/// The passkey that an authenticator calls so, held until the transaction ends: who answers with it at the same
/// moment waits, and sees the counter as this transaction leaves it.
pub(crate) fn hold(db: &mut Db, credential_id: &[u8]) -> Result<Option<PasskeyRow>, DbError> {
    let row = diesel::update(passkeys::table.filter(passkeys::credential_id.eq(credential_id)))
        .set(passkeys::name.eq(passkeys::name))
        .returning(passkeys::all_columns)
        .get_result(db);
    Ok(row.optional()?)
}

/// Stores what an answer changed about a passkey.
pub(crate) fn used(db: &mut Db, id: PasskeyId, credential: &str, now: Timestamp) -> Result<(), DbError> {
    diesel::update(passkeys::table.find(id))
        .set((passkeys::credential.eq(credential), passkeys::last_used_at_ms.eq(Some(now))))
        .execute(db)?;
    Ok(())
}

pub(crate) fn rename(
    db: &mut Db,
    user: UserId,
    id: PasskeyId,
    name: &str,
) -> Result<Option<PasskeyRow>, DbError> {
    let row = diesel::update(passkeys::table.find(id).filter(passkeys::user_id.eq(user)))
        .set(passkeys::name.eq(name))
        .returning(passkeys::all_columns)
        .get_result(db);
    Ok(row.optional()?)
}

/// Deletes a passkey; says whether the user had it.
pub(crate) fn delete(db: &mut Db, user: UserId, id: PasskeyId) -> Result<bool, DbError> {
    Ok(diesel::delete(passkeys::table.find(id).filter(passkeys::user_id.eq(user))).execute(db)? > 0)
}

pub(crate) fn delete_all_of(db: &mut Db, user: UserId) -> Result<(), DbError> {
    diesel::delete(passkeys::table.filter(passkeys::user_id.eq(user))).execute(db)?;
    diesel::delete(passkey_ceremonies::table.filter(passkey_ceremonies::user_id.eq(user))).execute(db)?;
    Ok(())
}

#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = passkey_ceremonies)]
pub(crate) struct CeremonyRow {
    pub hash: Vec<u8>,
    pub purpose: String,
    pub user_id: Option<UserId>,
    pub state: String,
    pub expires_at_ms: Timestamp,
}

pub(crate) fn insert_ceremony(db: &mut Db, ceremony: &CeremonyRow) -> Result<(), DbError> {
    diesel::insert_into(passkey_ceremonies::table).values(ceremony).execute(db)?;
    Ok(())
}

/// Takes a ceremony away: of any number who try at once, one gets it.
pub(crate) fn take_ceremony(
    db: &mut Db,
    hash: &[u8],
    purpose: &str,
    now: Timestamp,
) -> Result<Option<CeremonyRow>, DbError> {
    let open = passkey_ceremonies::table
        .find(hash)
        .filter(passkey_ceremonies::purpose.eq(purpose))
        .filter(passkey_ceremonies::expires_at_ms.gt(now));
    let row = diesel::delete(open).returning(passkey_ceremonies::all_columns).get_result(db);
    Ok(row.optional()?)
}

pub(crate) fn delete_expired_ceremonies(db: &mut Db, now: Timestamp) -> Result<usize, DbError> {
    let expired = passkey_ceremonies::table.filter(passkey_ceremonies::expires_at_ms.le(now));
    Ok(diesel::delete(expired).execute(db)?)
}
