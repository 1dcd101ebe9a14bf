//! Tables `mfa_totp`, `mfa_recovery_codes` and `mfa_challenges`.

use diesel::prelude::*;
use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    on_inner,
};

use super::{
    passkeys,
    schema::{mfa_challenges, mfa_recovery_codes, mfa_totp},
};

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = mfa_totp)]
pub(crate) struct TotpRow {
    pub user_id: UserId,
    pub secret: Vec<u8>,
    pub confirmed_at_ms: Option<Timestamp>,
}

pub(crate) fn totp_of(db: &mut Db, user: UserId) -> Result<Option<TotpRow>, DbError> {
    Ok(mfa_totp::table.find(user).select(TotpRow::as_select()).first(db).optional()?)
}

/// Begins anew, unless there is a confirmed one; says whether it did.
pub(crate) fn begin_totp(db: &mut Db, user: UserId, sealed: &[u8]) -> Result<bool, DbError> {
    let confirmed = totp_of(db, user)?.is_some_and(|row| row.confirmed_at_ms.is_some());
    if confirmed {
        return Ok(false);
    }
    let row = (mfa_totp::user_id.eq(user), mfa_totp::secret.eq(sealed), mfa_totp::last_step.eq(0_i64));
    on_inner!(db, connection => diesel::insert_into(mfa_totp::table)
        .values(row)
        .on_conflict(mfa_totp::user_id)
        .do_update()
        .set((mfa_totp::secret.eq(sealed), mfa_totp::last_step.eq(0_i64)))
        .execute(connection))?;
    Ok(true)
}

pub(crate) fn confirm_totp(db: &mut Db, user: UserId, now: Timestamp) -> Result<bool, DbError> {
    let open = mfa_totp::table.find(user).filter(mfa_totp::confirmed_at_ms.is_null());
    Ok(diesel::update(open).set(mfa_totp::confirmed_at_ms.eq(Some(now))).execute(db)? > 0)
}

/// Accepts the code of a time step, if none as late was accepted before: of two who try at once, one gets `true`.
pub(crate) fn advance_totp(db: &mut Db, user: UserId, step: i64) -> Result<bool, DbError> {
    let earlier = mfa_totp::table.find(user).filter(mfa_totp::last_step.lt(step));
    Ok(diesel::update(earlier).set(mfa_totp::last_step.eq(step)).execute(db)? > 0)
}

/// Whether anything is asked for beside the password.
pub(crate) fn has_factor(db: &mut Db, user: UserId) -> Result<bool, DbError> {
    let totp = totp_of(db, user)?.is_some_and(|row| row.confirmed_at_ms.is_some());
    Ok(totp || passkeys::count_of(db, user)? > 0)
}

pub(crate) fn delete_totp(db: &mut Db, user: UserId) -> Result<(), DbError> {
    diesel::delete(mfa_totp::table.find(user)).execute(db)?;
    Ok(())
}

/// Takes every second factor from a user.
pub(crate) fn delete_all_of(db: &mut Db, user: UserId) -> Result<(), DbError> {
    delete_totp(db, user)?;
    passkeys::delete_all_of(db, user)?;
    delete_codes_if_last(db, user)
}

/// Deletes recovery codes and open challenges of a user who has no second factor any more.
pub(crate) fn delete_codes_if_last(db: &mut Db, user: UserId) -> Result<(), DbError> {
    if has_factor(db, user)? {
        return Ok(());
    }
    diesel::delete(mfa_recovery_codes::table.filter(mfa_recovery_codes::user_id.eq(user))).execute(db)?;
    diesel::delete(mfa_challenges::table.filter(mfa_challenges::user_id.eq(user))).execute(db)?;
    Ok(())
}

/// Gives a user these recovery codes and no others.
pub(crate) fn replace_recovery_codes(db: &mut Db, user: UserId, hashes: &[[u8; 32]]) -> Result<(), DbError> {
    diesel::delete(mfa_recovery_codes::table.filter(mfa_recovery_codes::user_id.eq(user))).execute(db)?;
    for hash in hashes {
        diesel::insert_into(mfa_recovery_codes::table)
            .values((mfa_recovery_codes::user_id.eq(user), mfa_recovery_codes::hash.eq(hash.as_slice())))
            .execute(db)?;
    }
    Ok(())
}

/// Uses a recovery code up: of any number who try at once, one gets `true`.
pub(crate) fn use_recovery_code(
    db: &mut Db,
    user: UserId,
    hash: &[u8],
    now: Timestamp,
) -> Result<bool, DbError> {
    let unused =
        mfa_recovery_codes::table.find((user, hash)).filter(mfa_recovery_codes::used_at_ms.is_null());
    Ok(diesel::update(unused).set(mfa_recovery_codes::used_at_ms.eq(Some(now))).execute(db)? > 0)
}

pub(crate) fn recovery_codes_left(db: &mut Db, user: UserId) -> Result<i64, DbError> {
    let left = mfa_recovery_codes::table
        .filter(mfa_recovery_codes::user_id.eq(user))
        .filter(mfa_recovery_codes::used_at_ms.is_null());
    Ok(left.count().get_result(db)?)
}

#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = mfa_challenges)]
pub(crate) struct ChallengeRow {
    pub hash: Vec<u8>,
    pub user_id: UserId,
    pub refresh_in: String,
    pub attempts: i64,
    pub expires_at_ms: Timestamp,
}

pub(crate) fn insert_challenge(db: &mut Db, challenge: &ChallengeRow) -> Result<(), DbError> {
    diesel::insert_into(mfa_challenges::table).values(challenge).execute(db)?;
    Ok(())
}

/// A challenge that has not run out.
pub(crate) fn open_challenge(
    db: &mut Db,
    hash: &[u8],
    now: Timestamp,
) -> Result<Option<ChallengeRow>, DbError> {
    let open = mfa_challenges::table.find(hash).filter(mfa_challenges::expires_at_ms.gt(now));
    Ok(open.first(db).optional()?)
}

/// A challenge with attempts left, one of which this takes.
pub(crate) fn attempt_challenge(
    db: &mut Db,
    hash: &[u8],
    most: i64,
    now: Timestamp,
) -> Result<Option<ChallengeRow>, DbError> {
    let open = mfa_challenges::table
        .find(hash)
        .filter(mfa_challenges::attempts.lt(most))
        .filter(mfa_challenges::expires_at_ms.gt(now));
    let row = diesel::update(open)
        .set(mfa_challenges::attempts.eq(mfa_challenges::attempts + 1))
        .returning(mfa_challenges::all_columns)
        .get_result(db);
    Ok(row.optional()?)
}

pub(crate) fn delete_challenge(db: &mut Db, hash: &[u8]) -> Result<bool, DbError> {
    Ok(diesel::delete(mfa_challenges::table.find(hash)).execute(db)? > 0)
}

pub(crate) fn delete_expired_challenges(db: &mut Db, now: Timestamp) -> Result<usize, DbError> {
    Ok(diesel::delete(mfa_challenges::table.filter(mfa_challenges::expires_at_ms.le(now))).execute(db)?)
}
