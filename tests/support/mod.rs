//! The system under test, and the people in front of it.

mod answer;
mod chat;
mod person;
mod system;

pub(crate) use answer::Answer;
pub(crate) use chat::Chat;
pub(crate) use person::{PASSWORD, Person};
pub(crate) use system::{Backend, LIMIT, Service, Setup, System, lives};
