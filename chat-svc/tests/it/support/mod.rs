//! The stage: a service of its own for each test, users with tokens, and clients that speak both doors' languages.

mod app;
mod socket;
mod user;

pub(crate) use app::on_both;
pub use app::{App, Backend};
pub use socket::Socket;
pub use user::User;
