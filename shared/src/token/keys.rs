//! The public keys that tokens may be signed with, read from the database.

use std::collections::HashMap;

use diesel::prelude::*;
use jsonwebtoken::DecodingKey;

use crate::{
    clock::Timestamp,
    db::{Db, DbError},
};

diesel::table! {
    /// The columns that verifying takes; auth-svc, which owns the table, knows the rest.
    signing_keys (kid) {
        kid -> Text,
        public_key -> Binary,
        expires_at_ms -> BigInt,
    }
}

/// The keys of one reading, by `kid`.
#[derive(Default)]
pub(super) struct Keys(HashMap<String, (DecodingKey, Timestamp)>);

impl Keys {
    pub(super) fn read(db: &mut Db, now: Timestamp) -> Result<Self, DbError> {
        let rows: Vec<(String, Vec<u8>, Timestamp)> = signing_keys::table
            .filter(signing_keys::expires_at_ms.gt(now))
            .select((signing_keys::kid, signing_keys::public_key, signing_keys::expires_at_ms))
            .load(db)?;
        Ok(Self(
            rows.into_iter()
                .map(|(kid, key, until)| (kid, (DecodingKey::from_ed_der(&key), until)))
                .collect(),
        ))
    }

    pub(super) fn get(&self, kid: &str, now: Timestamp) -> Option<&DecodingKey> {
        self.0.get(kid).filter(|(_, until)| *until > now).map(|(key, _)| key)
    }

    /// Whether `newer` lacks a key of ours: tokens remembered under it must be looked at again.
    pub(super) fn lost_one_in(&self, newer: &Self) -> bool {
        self.0.keys().any(|kid| !newer.0.contains_key(kid))
    }
}
