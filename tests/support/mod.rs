//! The system under test, and the people in front of it.

mod answer;
mod chat;
mod companion;
mod conversation;
mod diary;
mod everyday;
mod person;
mod road;
mod site;
mod system;

pub(crate) use answer::Answer;
pub(crate) use chat::Chat;
pub(crate) use companion::Companion;
pub(crate) use conversation::Conversation;
pub(crate) use diary::Diary;
pub(crate) use everyday::everyday;
pub(crate) use person::{PASSWORD, Person};
pub(crate) use road::Road;
pub(crate) use site::{Door, Site};
pub(crate) use system::{Backend, LIMIT, Service, Setup, System, lives};
