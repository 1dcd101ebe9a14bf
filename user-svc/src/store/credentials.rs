//! The first credential of a user. The table is auth-svc's: this insert, in the transaction of the registration, is
//! all that user-svc has to do with it.

use diesel::prelude::*;
use irongate_shared::{
    clock::Timestamp,
    db::{Db, DbError},
};

use super::{schema::credentials, users::UserRow};

pub(crate) fn insert_first(db: &mut Db, user: &UserRow, hash: String, now: Timestamp) -> Result<(), DbError> {
    diesel::insert_into(credentials::table)
        .values((
            credentials::user_id.eq(user.id),
            credentials::username_key.eq(&user.username_key),
            credentials::email_key.eq(&user.email_key),
            credentials::password_hash.eq(Some(hash)),
            credentials::password_set_at_ms.eq(now),
            credentials::account.eq(serde_json::to_string(&user.document()).unwrap_or_default()),
            credentials::account_version.eq(user.version),
            credentials::status.eq("active"),
        ))
        .execute(db)?;
    Ok(())
}
