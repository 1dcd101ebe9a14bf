//! Table `users`.

use diesel::prelude::*;
use irongate_shared::{
    account::{AccountStatus, User, key},
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    token::Role,
};

use super::schema::users;

/// One user, whole.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true)]
pub(crate) struct UserRow {
    pub id: UserId,
    pub username: String,
    pub username_key: String,
    pub email: String,
    pub email_key: String,
    pub email_verified: bool,
    pub display_name: String,
    pub search_key: String,
    pub bio: String,
    pub role: Role,
    pub avatar: Option<String>,
    pub version: i64,
    pub created_at_ms: Timestamp,
    pub updated_at_ms: Timestamp,
    pub locked_at_ms: Option<Timestamp>,
    pub deleted_at_ms: Option<Timestamp>,
}

impl UserRow {
    /// The user as they see themselves.
    pub(crate) fn document(&self) -> User {
        User {
            id: self.id,
            username: self.username.clone(),
            email: self.email.clone(),
            email_verified: self.email_verified,
            display_name: self.display_name.clone(),
            bio: self.bio.clone(),
            role: self.role,
            avatar_url: self.avatar_url(),
            created_at: self.created_at_ms,
            updated_at: self.updated_at_ms,
        }
    }

    pub(crate) fn status(&self) -> AccountStatus {
        match (self.deleted_at_ms, self.locked_at_ms) {
            (Some(_), _) => AccountStatus::Deleted,
            (None, Some(_)) => AccountStatus::Locked,
            (None, None) => AccountStatus::Active,
        }
    }

    pub(crate) fn avatar_url(&self) -> Option<String> {
        self.avatar.as_ref().map(|file| format!("/user/avatars/{}/{file}", self.id))
    }
}

/// Which of a new user's names somebody has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub username: bool,
    pub email: bool,
}

impl Taken {
    pub(crate) fn is_any(self) -> bool {
        self.username || self.email
    }
}

/// What a search looks through: words that each begin after a blank.
pub(crate) fn search_key(username: &str, display_name: &str) -> String {
    format!(" {} {}", key(username), key(display_name))
}

pub(crate) fn insert(db: &mut Db, user: &UserRow) -> Result<(), DbError> {
    diesel::insert_into(users::table).values(user).execute(db)?;
    Ok(())
}

/// Writes the whole row of a user that was read in the same transaction.
pub(crate) fn update(db: &mut Db, user: &UserRow) -> Result<(), DbError> {
    diesel::update(users::table.find(user.id)).set(user).execute(db)?;
    Ok(())
}

/// Who has `username_key` or `email_key` already, other than `except`. The deleted keep theirs until erased.
pub(crate) fn taken(
    db: &mut Db,
    username_key: &str,
    email_key: &str,
    except: Option<UserId>,
) -> Result<Option<Taken>, DbError> {
    let rows: Vec<(UserId, String, String)> = users::table
        .filter(users::username_key.eq(username_key).or(users::email_key.eq(email_key)))
        .select((users::id, users::username_key, users::email_key))
        .load(db)?;
    let others = || rows.iter().filter(|(id, ..)| Some(*id) != except);
    let taken = Taken {
        username: others().any(|(_, name, _)| name == username_key),
        email: others().any(|(_, _, email)| email == email_key),
    };
    Ok(taken.is_any().then_some(taken))
}

pub(crate) fn by_id(db: &mut Db, id: UserId) -> Result<Option<UserRow>, DbError> {
    Ok(users::table.find(id).filter(users::deleted_at_ms.is_null()).first(db).optional()?)
}

/// A user that this transaction is about to change; others who want to change it wait.
pub(crate) fn locked_for_change(db: &mut Db, id: UserId) -> Result<Option<UserRow>, DbError> {
    // SQLite's write transaction has the whole database already.
    if let Db::Pg(connection) = db {
        let row = users::table.find(id).filter(users::deleted_at_ms.is_null()).for_update();
        return Ok(row.first(connection).optional()?);
    }
    by_id(db, id)
}

pub(crate) fn by_username_key(db: &mut Db, key: &str) -> Result<Option<UserRow>, DbError> {
    let row = users::table.filter(users::username_key.eq(key)).filter(users::deleted_at_ms.is_null());
    Ok(row.first(db).optional()?)
}

pub(crate) fn by_ids(db: &mut Db, ids: &[UserId]) -> Result<Vec<UserRow>, DbError> {
    Ok(users::table.filter(users::id.eq_any(ids)).filter(users::deleted_at_ms.is_null()).load(db)?)
}

pub(crate) fn page(
    db: &mut Db,
    search: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<UserRow>, DbError> {
    let mut rows = users::table
        .filter(users::deleted_at_ms.is_null())
        .filter(users::locked_at_ms.is_null())
        .order(users::username_key)
        .limit(limit)
        .into_boxed();
    if let Some(search) = search.map(key).filter(|search| !search.is_empty()) {
        rows = rows.filter(users::search_key.like(word_beginning(&search)).escape('\\'));
    }
    if let Some(after) = after {
        rows = rows.filter(users::username_key.gt(after.to_owned()));
    }
    Ok(rows.load(db)?)
}

/// As [`page`], with the locked ones, and by their addresses too.
pub(crate) fn page_of_all(
    db: &mut Db,
    search: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<UserRow>, DbError> {
    let mut rows = users::table
        .filter(users::deleted_at_ms.is_null())
        .order(users::username_key)
        .limit(limit)
        .into_boxed();
    if let Some(search) = search.map(key).filter(|search| !search.is_empty()) {
        let pattern = word_beginning(&search);
        // The same pattern without its first two characters, the wildcard and the blank.
        let address = pattern.get(2..).unwrap_or_default().to_owned();
        rows = rows.filter(
            users::search_key.like(pattern).escape('\\').or(users::email_key.like(address).escape('\\')),
        );
    }
    if let Some(after) = after {
        rows = rows.filter(users::username_key.gt(after.to_owned()));
    }
    Ok(rows.load(db)?)
}

/// Those deleted before `before`, to be erased.
pub(crate) fn deleted_before(db: &mut Db, before: Timestamp, limit: i64) -> Result<Vec<UserRow>, DbError> {
    Ok(users::table.filter(users::deleted_at_ms.lt(before)).limit(limit).load(db)?)
}

/// Whether there was a row to erase.
pub(crate) fn erase(db: &mut Db, id: UserId) -> Result<bool, DbError> {
    Ok(diesel::delete(users::table.find(id)).execute(db)? > 0)
}

/// A `LIKE` pattern for a word that begins with `text`, whatever characters that holds.
fn word_beginning(text: &str) -> String {
    let mut pattern = "% ".to_owned();
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
