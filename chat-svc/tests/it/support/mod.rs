//! The stage: a service of its own for each test, users with tokens, and clients that speak both doors' languages.

mod app;
mod cluster;
mod socket;
mod stage;
mod user;

pub(crate) use app::App;
pub(crate) use app::on_both;
pub(crate) use cluster::Cluster;
pub(crate) use socket::Socket;
pub(crate) use stage::{Backend, Stage};
pub(crate) use user::User;
