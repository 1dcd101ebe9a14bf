//! Table `avatars`.

use diesel::prelude::*;
use irongate_shared::{
    db::{Db, DbError},
    id::UserId,
    on_inner,
};

use super::schema::avatars;

pub(crate) fn put(db: &mut Db, user: UserId, file: &str, jpeg: &[u8]) -> Result<(), DbError> {
    let row = (avatars::user_id.eq(user), avatars::file.eq(file), avatars::jpeg.eq(jpeg));
    on_inner!(db, connection => diesel::insert_into(avatars::table)
        .values(row)
        .on_conflict(avatars::user_id)
        .do_update()
        .set((avatars::file.eq(file), avatars::jpeg.eq(jpeg)))
        .execute(connection))?;
    Ok(())
}

pub(crate) fn get(db: &mut Db, user: UserId, file: &str) -> Result<Option<Vec<u8>>, DbError> {
    let row = avatars::table.find(user).filter(avatars::file.eq(file)).select(avatars::jpeg);
    Ok(row.first(db).optional()?)
}

pub(crate) fn delete(db: &mut Db, user: UserId) -> Result<(), DbError> {
    diesel::delete(avatars::table.find(user)).execute(db)?;
    Ok(())
}
