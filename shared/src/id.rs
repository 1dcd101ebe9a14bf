//! Ids: UUIDv7 (RFC 9562 §5.7) as text, one type per kind of thing.
//!
//! Version 7 sorts by time of making, so primary keys are appended rather than scattered, and a list by id is a
//! list by age. They are not secrets: whatever must not be guessed uses random bytes instead.
//!
//! The text itself is kept, inline: that is what columns, tokens and JSON hold, and a copy costs no allocation.

use std::fmt;

use uuid::Uuid;

/// The 36 characters of a UUID in its one accepted spelling: hyphenated, lower case.
///
/// The macro [`text_id!`](crate::text_id) wraps it into a type per kind of id; use those.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdText([u8; uuid::fmt::Hyphenated::LENGTH]);

impl IdText {
    pub fn from_uuid(id: Uuid) -> Self {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        id.as_hyphenated().encode_lower(&mut text);
        Self(text)
    }

    /// # Errors
    /// For anything but the accepted spelling: one id has one spelling, or it could be counted or banned twice.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let parsed = Self::from_uuid(Uuid::try_parse(text).map_err(|_| NotAnId)?);
        if parsed.as_str() == text { Ok(parsed) } else { Err(NotAnId) }
    }

    #[expect(clippy::expect_used, reason = "only `from_uuid` fills the array, with ASCII")]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits and hyphens")
    }

    #[expect(clippy::expect_used, reason = "only `from_uuid` fills the array")]
    pub fn as_uuid(&self) -> Uuid {
        Uuid::try_parse_ascii(&self.0).expect("the text of a UUID")
    }
}

/// What parsing says of text that is no UUID in its usual form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an id such as 018f6b1e-5d3c-7cc1-8a31-3f5f0a9c0b7d")
    }
}

impl std::error::Error for NotAnId {}

/// Makes a newtype for ids of one kind: made, parsed, stored and shown the same way everywhere.
#[macro_export]
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, $crate::id::macros::AsExpression,
            $crate::id::macros::FromSqlRow,
        )]
        #[diesel(sql_type = $crate::id::macros::Text)]
        pub struct $name($crate::id::IdText);

        impl $name {
            /// A new one, later in order than all made before it on this machine.
            #[allow(clippy::new_without_default, reason = "each call makes another id")]
            pub fn new() -> Self {
                Self::from_uuid($crate::id::macros::Uuid::now_v7())
            }

            /// A new one, as of `now`.
            pub fn at(now: $crate::clock::Timestamp) -> Self {
                Self::from_uuid($crate::id::macros::uuid_at(now))
            }

            pub fn from_uuid(id: $crate::id::macros::Uuid) -> Self {
                Self($crate::id::IdText::from_uuid(id))
            }

            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            pub fn as_uuid(&self) -> $crate::id::macros::Uuid {
                self.0.as_uuid()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::NotAnId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::id::IdText::parse(text).map(Self)
            }
        }

        impl $crate::id::macros::Serialize for $name {
            fn serialize<S: $crate::id::macros::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::id::macros::Deserialize<'de> for $name {
            fn deserialize<D: $crate::id::macros::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as $crate::id::macros::Deserialize>::deserialize(from)?;
                text.parse().map_err(<D::Error as $crate::id::macros::DeError>::custom)
            }
        }

        impl<DB: $crate::id::macros::Backend> $crate::id::macros::ToSql<$crate::id::macros::Text, DB> for $name
        where
            str: $crate::id::macros::ToSql<$crate::id::macros::Text, DB>,
        {
            fn to_sql<'b>(
                &'b self,
                out: &mut $crate::id::macros::Output<'b, '_, DB>,
            ) -> $crate::id::macros::ToSqlResult {
                self.as_str().to_sql(out)
            }
        }

        impl<DB: $crate::id::macros::Backend> $crate::id::macros::FromSql<$crate::id::macros::Text, DB> for $name
        where
            String: $crate::id::macros::FromSql<$crate::id::macros::Text, DB>,
        {
            fn from_sql(raw: DB::RawValue<'_>) -> $crate::id::macros::FromSqlResult<Self> {
                let text = <String as $crate::id::macros::FromSql<$crate::id::macros::Text, DB>>::from_sql(raw)?;
                text.parse().map_err(Into::into)
            }
        }

        impl $crate::id::macros::PartialSchema for $name {
            fn schema() -> $crate::id::macros::RefOr<$crate::id::macros::Schema> {
                $crate::id::macros::uuid_schema()
            }
        }

        impl $crate::id::macros::ToSchema for $name {}
    };
}

/// What [`text_id!`](crate::text_id) names, so that its users need none of these crates themselves.
#[doc(hidden)]
pub mod macros {
    pub use diesel::{
        backend::Backend,
        deserialize::{FromSql, FromSqlRow, Result as FromSqlResult},
        expression::AsExpression,
        serialize::{Output, Result as ToSqlResult, ToSql},
        sql_types::Text,
    };
    pub use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as DeError};
    pub use utoipa::{
        PartialSchema, ToSchema,
        openapi::{RefOr, schema::Schema},
    };
    pub use uuid::Uuid;

    pub fn uuid_at(now: crate::clock::Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let nanos = u32::try_from(millis % 1000 * 1_000_000).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, millis / 1000, nanos))
    }

    pub fn uuid_schema() -> RefOr<Schema> {
        use utoipa::openapi::{ObjectBuilder, SchemaFormat, schema::Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("uuid".to_owned())))
            .examples([serde_json::json!("018f6b1e-5d3c-7cc1-8a31-3f5f0a9c0b7d")])
            .into()
    }
}

text_id! {
    /// A user, for all services. Made by user-svc at registration.
    UserId
}

text_id! {
    /// A session: one sign-in of one user on one device, claim `sid`.
    SessionId
}

text_id! {
    /// One access token, claim `jti` (RFC 7519 §4.1.7).
    TokenId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = UserId::new();

        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse::<UserId>(), Err(NotAnId));
        assert_eq!(format!("{{{id}}}").parse::<UserId>(), Err(NotAnId));
        assert_eq!("".parse::<UserId>(), Err(NotAnId));
    }

    #[test]
    fn later_ids_sort_later() {
        let ids: Vec<_> = (0..1000).map(|_| UserId::new()).collect();

        assert!(ids.is_sorted());
    }
}
