//! Queries: one file per table or few, one function per question.

pub(crate) mod audit_log;
pub(crate) mod credentials;
pub(crate) mod mails;
pub(crate) mod mfa;
pub(crate) mod passkeys;
pub(crate) mod refresh_tokens;
pub(crate) mod schema;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod throttles;
