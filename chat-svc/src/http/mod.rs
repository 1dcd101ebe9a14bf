//! The REST API: requests into calls of [`Chat`](crate::chat::Chat), results into answers. Nothing is decided here.

mod live;
mod member;
mod message;
mod page;
mod problem;
mod room;
mod routes;
mod token;

pub(crate) use routes::{document, routes};
