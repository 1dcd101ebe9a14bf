//! Accounts: the rules by which they are made, changed and found.

mod change;
pub(crate) mod fields;
mod register;

use irongate_shared::{
    clock::Clock,
    db::{Database, DbError},
    id::UserId,
    password::Hasher,
    problem::{Problem, kind},
};

pub(crate) use change::{ChangeError, IfMatch, ProfileChange};
pub(crate) use register::Registration;

use crate::{
    events::Wakes,
    store::users::{self, UserRow},
};

/// The accounts of this installation, and what it takes to work on them.
pub(crate) struct Accounts {
    pub database: Database,
    pub clock: Clock,
    pub hasher: Hasher,
    pub wake: Wakes,
}

impl Accounts {
    /// The account of a signed-in user.
    pub(crate) async fn by_id(&self, id: UserId) -> Result<UserRow, LookupError> {
        self.database.read(move |db| users::by_id(db, id)?.ok_or(LookupError::NoSuchUser)).await
    }

    pub(crate) async fn by_username(&self, name: &str) -> Result<UserRow, LookupError> {
        let key = irongate_shared::account::key(name);
        self.database.read(move |db| users::by_username_key(db, &key)?.ok_or(LookupError::NoSuchUser)).await
    }

    /// Those of `ids` that exist, in no order.
    pub(crate) async fn by_ids(&self, ids: Vec<UserId>) -> Result<Vec<UserRow>, DbError> {
        self.database.read(move |db| users::by_ids(db, &ids)).await
    }

    /// As [`Accounts::page`], with the locked ones and by their addresses too, for administrators.
    pub(crate) async fn page_of_all(
        &self,
        search: Option<String>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<UserRow>, DbError> {
        self.database.read(move |db| users::page_of_all(db, search.as_deref(), after.as_deref(), limit)).await
    }

    /// A page of the users whose names hold a word that begins with `search`, by username, after the key `after`.
    pub(crate) async fn page(
        &self,
        search: Option<String>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<UserRow>, DbError> {
        self.database.read(move |db| users::page(db, search.as_deref(), after.as_deref(), limit)).await
    }
}

/// Why somebody was not found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("there is no such user")]
    NoSuchUser,
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<LookupError> for Problem {
    fn from(why: LookupError) -> Self {
        match why {
            LookupError::NoSuchUser => Self::new(kind::NOT_FOUND).detail("There is no such user."),
            LookupError::Database(why) => why.into(),
        }
    }
}
