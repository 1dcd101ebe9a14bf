//! Table `credentials`.

use diesel::prelude::*;
use irongate_shared::{
    account::{AccountStatus, User, key},
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
};

use super::schema::credentials;

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = credentials)]
pub(crate) struct CredentialRow {
    pub user_id: UserId,
    pub email_key: String,
    pub password_hash: Option<String>,
    pub password_set_at_ms: Timestamp,
    account: String,
    pub account_version: i64,
    status: String,
}

impl CredentialRow {
    /// What user-svc last said about the account.
    pub(crate) fn status(&self) -> AccountStatus {
        // The schema knows three.
        match self.status.as_str() {
            "active" => AccountStatus::Active,
            "locked" => AccountStatus::Locked,
            _ => AccountStatus::Deleted,
        }
    }

    pub(crate) fn user(&self) -> Result<User, serde_json::Error> {
        serde_json::from_str(&self.account)
    }
}

/// By the folded name that somebody typed: a username, or with an `@` in it an e-mail address.
pub(crate) fn by_name(db: &mut Db, name: &str) -> Result<Option<CredentialRow>, DbError> {
    // Copies of unique names: should two rows share one for a moment, the later word of user-svc counts.
    let newest = credentials::account_version.desc();
    let rows = credentials::table.select(CredentialRow::as_select()).order(newest);
    let row = if name.contains('@') {
        rows.filter(credentials::email_key.eq(name)).first(db)
    } else {
        rows.filter(credentials::username_key.eq(name)).first(db)
    };
    Ok(row.optional()?)
}

pub(crate) fn of(db: &mut Db, user: UserId) -> Result<Option<CredentialRow>, DbError> {
    Ok(credentials::table.find(user).select(CredentialRow::as_select()).first(db).optional()?)
}

/// A credential that stays as it is until this transaction ends: who wants to change it waits, and then sees what this
/// one has done.
pub(crate) fn held(db: &mut Db, user: UserId) -> Result<Option<CredentialRow>, DbError> {
    // SQLite's write transaction has the whole database already.
    if let Db::Pg(connection) = db {
        let row = credentials::table.find(user).select(CredentialRow::as_select()).for_share();
        return Ok(row.first(connection).optional()?);
    }
    of(db, user)
}

/// Stores the same password at another cost, unless it was changed meanwhile.
pub(crate) fn upgrade_hash(db: &mut Db, user: UserId, from: &str, to: &str) -> Result<(), DbError> {
    diesel::update(credentials::table.find(user).filter(credentials::password_hash.eq(from)))
        .set(credentials::password_hash.eq(Some(to)))
        .execute(db)?;
    Ok(())
}

/// Stores a new password; with `instead_of` only in place of the one that was set then. Says whether it did.
pub(crate) fn set_password(
    db: &mut Db,
    user: UserId,
    hash: &str,
    now: Timestamp,
    instead_of: Option<Timestamp>,
) -> Result<bool, DbError> {
    let set = (credentials::password_hash.eq(Some(hash)), credentials::password_set_at_ms.eq(now));
    let row = credentials::table.find(user);
    let changed = match instead_of {
        Some(then) => {
            diesel::update(row.filter(credentials::password_set_at_ms.eq(then))).set(set).execute(db)?
        }
        None => diesel::update(row).set(set).execute(db)?,
    };
    Ok(changed > 0)
}

/// Stores what is known of a user's account, in the words of the version that is there already.
pub(crate) fn set_account(db: &mut Db, user: &User) -> Result<(), DbError> {
    let account = serde_json::to_string(user).unwrap_or_default();
    diesel::update(credentials::table.find(user.id)).set(credentials::account.eq(account)).execute(db)?;
    Ok(())
}

/// Stores a later word of user-svc. Nobody finds a deleted account by its names: somebody else may get them.
pub(crate) fn apply(db: &mut Db, user: &User, status: AccountStatus, version: i64) -> Result<(), DbError> {
    let key = |name: &str| if status == AccountStatus::Deleted { String::new() } else { key(name) };
    let account = serde_json::to_string(user).unwrap_or_default();
    diesel::update(credentials::table.find(user.id))
        .set((
            credentials::username_key.eq(key(&user.username)),
            credentials::email_key.eq(key(&user.email)),
            credentials::account.eq(account),
            credentials::account_version.eq(version),
            credentials::status.eq(status.as_str()),
        ))
        .execute(db)?;
    Ok(())
}

pub(crate) fn delete(db: &mut Db, user: UserId) -> Result<(), DbError> {
    diesel::delete(credentials::table.find(user)).execute(db)?;
    Ok(())
}
