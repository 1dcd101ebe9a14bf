//! The REST API: requests into calls of [`Chat`](crate::chat::Chat), results into answers. Nothing is decided here.

mod attachment;
mod events;
mod live;
mod member;
mod message;
mod page;
mod problem;
mod room;
mod routes;

pub(crate) use routes::{document, routes};
