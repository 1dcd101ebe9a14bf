//! `/auth/mfa`: the second factor.

pub(crate) mod show;
pub(crate) mod totp;
pub(crate) mod verify;
