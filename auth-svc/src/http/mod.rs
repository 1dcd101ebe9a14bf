//! The border: requests to calls, results to answers.

mod cookie;
mod keys;
mod page;
mod routes;
mod session;

pub(crate) use routes::{document, routes};
