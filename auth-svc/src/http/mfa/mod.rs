//! `/auth/mfa`: the second factor.

pub(crate) mod passkey;
pub(crate) mod recovery_codes;
pub(crate) mod show;
pub(crate) mod totp;
pub(crate) mod verify;
