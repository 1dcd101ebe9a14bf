//! A user's account as the services tell it to clients and to each other.
//!
//! user-svc owns the account; auth-svc keeps the copy that signing in takes. Both show the same [`User`] and look
//! names up by the same [`key`].

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::{clock::Timestamp, id::UserId, text_id, token::Role};

text_id! {
    /// An event between services.
    EventId
}

/// A user as they see themselves, and as administrators see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct User {
    pub id: UserId,
    #[schema(example = "ann")]
    pub username: String,
    #[schema(example = "ann@example.org")]
    pub email: String,
    /// Whether the owner of the address has shown that it is theirs.
    pub email_verified: bool,
    #[schema(example = "Ann Lee")]
    pub display_name: String,
    /// A few words about themselves; empty when they said none.
    pub bio: String,
    pub role: Role,
    /// Path of the picture at this origin.
    #[schema(example = "/user/avatars/018f6b1e-5d3c-7cc1-8a31-3f5f0a9c0b7d/5d3c7cc1.jpg")]
    pub avatar_url: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Whether somebody may use their account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    Active,
    /// By an administrator, until they unlock it.
    Locked,
    /// To be erased.
    Deleted,
    /// Nothing of them is to be kept; the event's user says no more than the id.
    Erased,
}

impl AccountStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Deleted => "deleted",
            Self::Erased => "erased",
        }
    }
}

/// What happened to an account, from the service where it happened to the others that should know.
///
/// Delivered at least once, in order per user, by `shared::outbox`; `id` is the same at every delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AccountEvent {
    /// user-svc: the account is like this now. Versions grow: what is older than what one knows is old news.
    AccountChanged {
        id: EventId,
        user: User,
        status: AccountStatus,
        version: i64,
        /// The administrator who did it, where the user did not.
        actor: Option<UserId>,
        at: Timestamp,
    },
    /// auth-svc: the user has shown that this address is theirs.
    EmailVerified { id: EventId, user: UserId, email: String, at: Timestamp },
}

/// How names and e-mail addresses are compared: `Ann`, `ANN` and `Ａｎｎ` are one.
///
/// NFKC and lower case in Rust, because the databases' own rules differ.
pub fn key(name: &str) -> String {
    name.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_to_people_have_one_key() {
        for name in ["Ann", "ANN", " ann ", "Ａｎｎ"] {
            assert_eq!(key(name), "ann");
        }
        assert_eq!(key("\u{1e9e}"), key("ß"));
    }
}
