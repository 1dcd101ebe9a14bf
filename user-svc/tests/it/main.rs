//! user-svc as its users meet it: over HTTP, with auth-svc beside it for signing in, on both databases.
//!
//! One file per subject of the API.

mod admin;
mod avatar;
mod events;
mod me;
mod register;
mod users;
