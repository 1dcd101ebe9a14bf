//! auth-svc and user-svc in the test's own process, and people who use them.
//!
//! ```no_run
//! # async fn example() {
//! use irongate_test_identity::{Backend, Installation, json};
//!
//! let app = Installation::start(Backend::Sqlite).await;
//! app.register("ann").await;
//! let ann = app.sign_in("ann").await;
//!
//! let answer = app.get("/user/me").by(&ann).send().await.expect(200);
//!
//! assert_eq!(answer.body["username"], "ann");
//! # }
//! ```
//!
//! Each installation has a database, a data folder and a clock of its own; dropping it stops its services.

// A tool for tests: a panic with its reason is the way to report here.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot start its services fails, saying why"
)]

mod app;
mod gateway;
mod http;
mod installation;
mod mail;

pub use app::app_code;
pub use http::{Answer, Call, SignedIn};
pub use installation::{Backend, Installation, Service, Setup};
pub use irongate_shared::token::REVOCATION_LAG;
pub use irongate_user_svc::Settings as UserSettings;
pub use serde_json::{Value, json};

/// One test per database out of each function: `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident: $app_type:ty) $body:block)+) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;

                async fn run($app: $app_type) $body

                #[tokio::test]
                async fn sqlite() {
                    run($crate::Installation::start($crate::Backend::Sqlite).await).await;
                }

                #[tokio::test]
                async fn postgres() {
                    run($crate::Installation::start($crate::Backend::Postgres).await).await;
                }
            }
        )+
    };
}
