//! Passwords: which are accepted, and hashing them without starving everything else.
//!
//! Two programs make hashes (user-svc at registration, auth-svc afterwards) and one compares them, all by the same
//! rules: [`Password`] is one that may be stored, [`Hasher`] the bounded pool that all hashing goes through.

mod hasher;
mod rules;

pub use hasher::{Hasher, Overloaded, Verdict};
pub use rules::{Password, Weakness};
