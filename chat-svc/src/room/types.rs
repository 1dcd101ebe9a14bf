//! The nouns: room, seq, role, member.

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::BigInt,
};
use irongate_shared::{clock::Timestamp, id::UserId, text_id};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

text_id! {
    /// A room.
    RoomId
}

impl RoomId {
    /// The direct room of two users: its id follows from theirs, so both may open it at once, on any replica, and
    /// there is one. Knowing the id opens nothing.
    pub(crate) fn direct(one: UserId, other: UserId) -> Self {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        let digest = Sha256::new().chain_update(low.as_str()).chain_update(high.as_str()).finalize();
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        // RFC 9562 §5.8: version 8 is for ids made in one's own way.
        Self::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// The place of an event in its room's log: 1, 2, 3, … without holes. Zero is before the first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    AsExpression,
    FromSqlRow,
    ToSchema,
)]
#[diesel(sql_type = BigInt)]
#[serde(transparent)]
pub(crate) struct Seq(pub(crate) i64);

impl Seq {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    pub(crate) const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl<DB: Backend> ToSql<BigInt, DB> for Seq
where
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB: Backend> FromSql<BigInt, DB> for Seq
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(raw).map(Self)
    }
}

/// An enum that is a word in columns and in JSON.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
            diesel::expression::AsExpression, diesel::deserialize::FromSqlRow,
        )]
        #[diesel(sql_type = diesel::sql_types::Text)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        // By hand: the derive does not see the words. Named apart from what other services call the same.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .enum_values(Some([$($word),+]))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                concat!("Room", stringify!($name)).into()
            }
        }

        impl<DB: diesel::backend::Backend> diesel::serialize::ToSql<diesel::sql_types::Text, DB> for $name
        where
            str: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, DB>,
            ) -> diesel::serialize::Result {
                diesel::serialize::ToSql::<diesel::sql_types::Text, DB>::to_sql(self.as_str(), out)
            }
        }

        impl<DB: diesel::backend::Backend> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for $name
        where
            String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
        {
            fn from_sql(raw: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                let text =
                    <String as diesel::deserialize::FromSql<diesel::sql_types::Text, DB>>::from_sql(raw)?;
                match text.as_str() {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!(concat!("`{}` is no ", stringify!($name)), other).into()),
                }
            }
        }
    };
}

pub(crate) use word;

word! {
    /// Who finds a room, and who comes in.
    Kind {
        /// Listed for everybody; whoever likes joins.
        Public = "public",
        /// Known to its members alone; they let others in.
        Private = "private",
        /// Two people, for good.
        Direct = "dm",
    }
}

word! {
    /// What a member may do. The order is the order of power.
    Role {
        Member = "member",
        /// Removes, bans and mutes members, deletes messages.
        Moderator = "moderator",
        /// All of that to moderators too, makes them, renames and deletes the room.
        Owner = "owner",
    }
}

/// A room as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    pub id: RoomId,
    pub kind: Kind,
    /// Empty exactly for direct rooms.
    pub name: Option<String>,
    pub topic: String,
    pub created_by: UserId,
    pub last_seq: Seq,
    pub members: i64,
    pub created_at: Timestamp,
}

/// Somebody's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub role: Role,
    pub last_read: Seq,
    pub muted_until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direct_room_is_the_same_from_both_sides() {
        let (ann, bob, eve) = (UserId::new(), UserId::new(), UserId::new());

        assert_eq!(RoomId::direct(ann, bob), RoomId::direct(bob, ann));
        assert_ne!(RoomId::direct(ann, bob), RoomId::direct(ann, eve));
    }

    #[test]
    fn roles_are_ordered_by_power() {
        assert!(Role::Owner > Role::Moderator && Role::Moderator > Role::Member);
    }
}
