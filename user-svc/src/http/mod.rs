//! The border: requests to calls, results to answers.

mod admin;
mod avatar;
mod events;
mod me;
mod register;
mod routes;
mod rules;
mod users;
mod version;

pub(crate) use routes::{document, routes};
