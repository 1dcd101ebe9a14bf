//! Queries: one file per table, one function per question.

pub(crate) mod avatars;
pub(crate) mod credentials;
pub(crate) mod schema;
pub(crate) mod users;
