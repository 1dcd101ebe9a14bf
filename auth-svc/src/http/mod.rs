//! The border: requests to calls, results to answers.

mod audit;
mod clients;
mod cookie;
mod email;
mod events;
mod keys;
mod mfa;
mod passkey;
mod password;
mod routes;
mod session;

pub(crate) use routes::{document, routes};
