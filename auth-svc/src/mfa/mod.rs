//! The second factor: a passkey, codes of an app (TOTP), and recovery codes for the day the phone is lost.

mod challenge;
mod codes;
mod manage;
mod passkeys;
mod totp;

pub(crate) use challenge::{Challenge, Method, Shown, begin};
