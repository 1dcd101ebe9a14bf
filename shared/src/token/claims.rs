//! What an access token says (RFC 9068 with the claims of RFC 7519 §4.1 and OpenID Connect Core §5.1).

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::Text,
};
use serde::{Deserialize, Serialize};

use crate::id::{SessionId, TokenId, UserId};

/// The claims of a user's access token. None is optional: a token that lacks one is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub sub: UserId,
    pub aud: String,
    /// Seconds since 1970, as are `iat` and `nbf`.
    pub exp: i64,
    pub iat: i64,
    pub nbf: i64,
    /// UUIDv7: holds the millisecond of issue, which `iat` is too coarse for.
    pub jti: TokenId,
    pub sid: SessionId,
    /// Space-separated (RFC 8693 §4.2).
    pub scope: String,
    pub roles: Vec<Role>,
    pub preferred_username: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

impl Claims {
    /// `aud` of every token of this system.
    pub const AUDIENCE: &'static str = "irongate";

    /// `typ` of the header (RFC 9068 §2.1): no other kind of token passes for an access token.
    pub const TYPE: &'static str = "at+jwt";
}

/// What a user may do beyond their own things.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    AsExpression,
    FromSqlRow,
)]
#[serde(rename_all = "lowercase")]
#[diesel(sql_type = Text)]
pub enum Role {
    User,
    Admin,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "user" => Ok(Self::User),
            "admin" => Ok(Self::Admin),
            other => Err(format!("`{other}` is no role")),
        }
    }
}

impl<DB: Backend> ToSql<Text, DB> for Role
where
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.as_str().to_sql(out)
    }
}

impl<DB: Backend> FromSql<Text, DB> for Role
where
    String: FromSql<Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        String::from_sql(raw)?.parse().map_err(Into::into)
    }
}
