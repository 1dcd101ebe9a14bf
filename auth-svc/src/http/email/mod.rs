//! `/auth/email`

pub(crate) mod send;
pub(crate) mod verify;
