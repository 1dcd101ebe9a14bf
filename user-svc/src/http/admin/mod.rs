//! `/user/admin/users`: what administrators do with accounts.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod update;

use irongate_shared::{
    account::User,
    clock::Timestamp,
    id::UserId,
    problem::{Problem, kind},
    token::Identity,
};
use serde::Serialize;

use crate::store::users::UserRow;

/// An account as administrators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Account {
    #[serde(flatten)]
    user: User,
    /// Since when nobody can sign in to it; null while one can.
    locked_at: Option<Timestamp>,
}

impl From<UserRow> for Account {
    fn from(user: UserRow) -> Self {
        Self { user: user.document(), locked_at: user.locked_at_ms }
    }
}

/// So that there is always one administrator left, none takes the right from themselves.
fn not_oneself(admin: &Identity, user: UserId) -> Result<(), Problem> {
    if admin.user == user {
        return Err(
            Problem::new(kind::CONFLICT).detail("Another administrator has to do this to your account.")
        );
    }
    Ok(())
}
