//! How an actix service starts, answers and stops: the same for auth-svc, user-svc and chat-svc.
//!
//! [`main`] is a program's way from `argv` to its exit code; [`Service::run`] binds and serves. Around every handler
//! stands [`request`]: it takes over the request id, opens the log span, counts, and turns whatever escapes into a
//! problem document. Handlers take their input through [`input`], never see malformed requests, and give lists
//! out as [`page`]s.

mod answer;
mod client;
mod describe;
pub mod input;
pub mod page;
pub mod refusals;
mod request;
mod server;
mod start;

pub use client::{Client, TrustedProxies};
pub use describe::BearerToken;
pub use request::request_id;
pub use server::{OnConnect, Service};
pub use start::{Program, Started, main};
