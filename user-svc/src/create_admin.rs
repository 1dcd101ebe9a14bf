//! The first administrator, made from the command line: nobody could appoint them.

use std::fmt::Write as _;

use irongate_shared::{
    account::User, clock::Clock, config::Platform, db::Database, password::Hasher, problem::Problem,
    token::Role,
};

use crate::{
    Settings,
    account::{Accounts, Registration},
};

/// Who is to be an administrator.
#[derive(Debug)]
pub struct NewAdmin {
    pub username: String,
    pub email: String,
    pub password: String,
}

/// Registers an administrator straight in the installation's database, by the rules of every registration.
///
/// # Errors
/// The database is away; or, in words for whoever typed it, what is wrong with the input or taken already.
pub async fn create_admin(platform: &Platform, new: NewAdmin) -> anyhow::Result<User> {
    let accounts = Accounts {
        database: Database::open(&platform.database, 1).await?,
        clock: Clock::system(),
        wake: <_>::default(),
        hasher: Hasher::start(Settings::default().bcrypt_cost, 1, 1, &prometheus::Registry::new())?,
    };
    let registration = Registration {
        username: new.username,
        email: new.email,
        password: new.password.into(),
        display_name: None,
    };
    let registered = accounts.register(registration, Role::Admin, None).await;
    registered.map(|user| user.document()).map_err(|why| anyhow::anyhow!(in_words(&why.into())))
}

fn in_words(problem: &Problem) -> String {
    let mut words = problem.to_string();
    for (field, said) in &problem.errors {
        let _ = write!(words, "\n  {field}: {}", said.join(" "));
    }
    words
}
