//! The second factor: codes of an app (TOTP), and recovery codes for the day the phone is lost.

mod challenge;
mod codes;
mod manage;
mod totp;

pub(crate) use challenge::{Challenge, begin};
