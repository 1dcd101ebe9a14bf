//! Table `credentials`.

use diesel::prelude::*;
use irongate_shared::{
    account::User,
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
};

use super::schema::credentials;

#[derive(Debug, Clone, Queryable)]
pub(crate) struct CredentialRow {
    pub user_id: UserId,
    pub username_key: String,
    pub email_key: String,
    pub password_hash: Option<String>,
    pub password_set_at_ms: Timestamp,
    account: String,
    pub account_version: i64,
    status: String,
}

/// What user-svc last said about somebody's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    Locked,
    Deleted,
}

impl CredentialRow {
    pub(crate) fn status(&self) -> Status {
        // The schema knows three.
        match self.status.as_str() {
            "active" => Status::Active,
            "locked" => Status::Locked,
            _ => Status::Deleted,
        }
    }

    pub(crate) fn user(&self) -> Result<User, serde_json::Error> {
        serde_json::from_str(&self.account)
    }
}

/// By the folded name that somebody typed: a username, or with an `@` in it an e-mail address.
pub(crate) fn by_name(db: &mut Db, key: &str) -> Result<Option<CredentialRow>, DbError> {
    // Copies of unique names: should two rows share one for a moment, the later word of user-svc counts.
    let newest = credentials::account_version.desc();
    let row = if key.contains('@') {
        credentials::table.filter(credentials::email_key.eq(key)).order(newest).first(db)
    } else {
        credentials::table.filter(credentials::username_key.eq(key)).order(newest).first(db)
    };
    Ok(row.optional()?)
}

pub(crate) fn of(db: &mut Db, user: UserId) -> Result<Option<CredentialRow>, DbError> {
    Ok(credentials::table.find(user).first(db).optional()?)
}

/// Stores the same password at another cost, unless it was changed meanwhile.
pub(crate) fn upgrade_hash(db: &mut Db, user: UserId, from: &str, to: &str) -> Result<(), DbError> {
    diesel::update(credentials::table.find(user).filter(credentials::password_hash.eq(from)))
        .set(credentials::password_hash.eq(Some(to)))
        .execute(db)?;
    Ok(())
}

/// Stores a new password.
pub(crate) fn set_password(db: &mut Db, user: UserId, hash: &str, now: Timestamp) -> Result<(), DbError> {
    diesel::update(credentials::table.find(user))
        .set((credentials::password_hash.eq(Some(hash)), credentials::password_set_at_ms.eq(now)))
        .execute(db)?;
    Ok(())
}

/// Stores what is known of a user's account, in the words of the version that is there already.
pub(crate) fn set_account(db: &mut Db, user: &User) -> Result<(), DbError> {
    let account = serde_json::to_string(user).unwrap_or_default();
    diesel::update(credentials::table.find(user.id)).set(credentials::account.eq(account)).execute(db)?;
    Ok(())
}
