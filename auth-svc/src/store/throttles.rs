//! Table `throttles`.

use diesel::{dsl::case_when, prelude::*, upsert::excluded};
use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
    on_inner,
};

use super::schema::throttles;

/// The latest moment before which one of `keys` must not be tried.
pub(crate) fn latest_of(db: &mut Db, keys: &[Vec<u8>]) -> Result<Option<Timestamp>, DbError> {
    let rows: Vec<Timestamp> =
        throttles::table.filter(throttles::key.eq_any(keys)).select(throttles::not_before_ms).load(db)?;
    Ok(rows.into_iter().max())
}

/// Holds the row, made if need be, until the transaction ends.
pub(crate) fn lock(db: &mut Db, key: &[u8], now: Timestamp, expires: Timestamp) -> Result<(), DbError> {
    let row = (
        throttles::key.eq(key),
        throttles::failures.eq(0_i64),
        throttles::not_before_ms.eq(now),
        throttles::expires_at_ms.eq(expires),
    );
    on_inner!(db, connection => diesel::insert_into(throttles::table)
        .values(row)
        .on_conflict(throttles::key)
        .do_update()
        .set(throttles::failures.eq(throttles::failures))
        .execute(connection))?;
    Ok(())
}

/// Counts one more failure, from one when those before are forgotten; how many that makes.
pub(crate) fn count(db: &mut Db, key: &[u8], now: Timestamp, expires: Timestamp) -> Result<i64, DbError> {
    let row = (
        throttles::key.eq(key),
        throttles::failures.eq(1_i64),
        throttles::not_before_ms.eq(now),
        throttles::expires_at_ms.eq(expires),
    );
    let again = (
        throttles::failures.eq(case_when(throttles::expires_at_ms.le(now), excluded(throttles::failures))
            .otherwise(throttles::failures + 1)),
        throttles::expires_at_ms.eq(expires),
    );
    Ok(on_inner!(db, connection => diesel::insert_into(throttles::table)
        .values(row)
        .on_conflict(throttles::key)
        .do_update()
        .set(again)
        .returning(throttles::failures)
        .get_result(connection))?)
}

pub(crate) fn set_wait(db: &mut Db, key: &[u8], until: Timestamp) -> Result<(), DbError> {
    diesel::update(throttles::table.find(key)).set(throttles::not_before_ms.eq(until)).execute(db)?;
    Ok(())
}

pub(crate) fn delete(db: &mut Db, key: &[u8]) -> Result<(), DbError> {
    diesel::delete(throttles::table.find(key)).execute(db)?;
    Ok(())
}

pub(crate) fn delete_expired(db: &mut Db, now: Timestamp) -> Result<usize, DbError> {
    Ok(diesel::delete(throttles::table.filter(throttles::expires_at_ms.le(now))).execute(db)?)
}
