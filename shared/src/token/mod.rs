//! Whether a token is valid at this moment, decided the same way in every program.
//!
//! ```text
//! Authorization: Bearer eyJ…  ──▶ Verifier::verify ──▶ Identity        (an actix extractor as well)
//!                                   │ signature, times, issuer, audience   (once per token, then remembered)
//!                                   └ revoked?                             (every time, from memory)
//! ```
//!
//! **How a revocation reaches a process, and when.** The table `revoked_tokens` is the truth. Every verifier holds a
//! copy and uses it only while it is younger than [`REVOCATION_LAG`]; an older one is brought up to date first, with
//! what is new since: changes are numbered in the order in which they become visible, so a reading costs the same
//! however long the list is. Whoever revokes waits that long after the commit before it answers
//! ([`Verifier::settled`]). So once "sign out" has answered, no process accepts the token, and a request whose copy is
//! fresh asks nobody. With the database away, nothing is accepted on a stale copy: 503, not a guess. Where there is Redis,
//! a word there has every process read at once (`hurry`); what is promised does not hang on it.

mod cache;
mod claims;
mod hurry;
mod identity;
mod keys;
pub mod revocation;
mod service;
mod verify;

pub use claims::{Claims, Role};
pub use identity::{Admin, Identity};
pub use revocation::REVOCATION_LAG;
pub use service::{Caller, Scope, ServiceClaims, ServiceIdentity};
#[cfg(test)]
pub(crate) use verify::fuzz;
pub use verify::{TokenError, Verifier};
