//! `/user/users` and `/user/lookup`: what users see of each other.

pub(crate) mod list;
pub(crate) mod lookup;
pub(crate) mod show;

use irongate_shared::{clock::Timestamp, id::UserId};
use serde::Serialize;

use crate::store::users::UserRow;

/// A user in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Summary {
    id: UserId,
    #[schema(example = "ann")]
    username: String,
    #[schema(example = "Ann Lee")]
    display_name: String,
    avatar_url: Option<String>,
}

impl From<UserRow> for Summary {
    fn from(user: UserRow) -> Self {
        let avatar_url = user.avatar_url();
        Self { id: user.id, username: user.username, display_name: user.display_name, avatar_url }
    }
}

/// A user as others see them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Profile {
    id: UserId,
    #[schema(example = "ann")]
    username: String,
    #[schema(example = "Ann Lee")]
    display_name: String,
    bio: String,
    avatar_url: Option<String>,
    created_at: Timestamp,
}

impl From<UserRow> for Profile {
    fn from(user: UserRow) -> Self {
        let avatar_url = user.avatar_url();
        Self {
            id: user.id,
            username: user.username,
            display_name: user.display_name,
            bio: user.bio,
            avatar_url,
            created_at: user.created_at_ms,
        }
    }
}
