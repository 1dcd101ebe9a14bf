//! `/user/me`: the signed-in user's own account.

pub(crate) mod delete;
pub(crate) mod export;
pub(crate) mod show;
pub(crate) mod update;
