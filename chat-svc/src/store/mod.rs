//! Diesel and nothing but: one file per table, one function per question.

pub(crate) mod attachments;
pub(crate) mod bans;
pub(crate) mod log;
pub(crate) mod members;
pub(crate) mod mentions;
pub(crate) mod messages;
pub(crate) mod profiles;
pub(crate) mod reactions;
pub(crate) mod rooms;
mod schema;
