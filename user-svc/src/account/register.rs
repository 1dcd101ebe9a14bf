//! Making an account: the user and the first credential, both or neither.

use irongate_shared::{
    account::key,
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    password::{Overloaded, Password},
    problem::{Problem, kind},
    secret::Secret,
    token::Role,
};
use serde::Deserialize;

use super::{
    Accounts,
    fields::{DisplayName, Email, Username},
};
use crate::{
    events,
    store::{
        credentials,
        users::{self, Taken, UserRow},
    },
};

/// What a person types to register.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    #[schema(
        example = "ann",
        min_length = 3,
        max_length = 32,
        pattern = "^[A-Za-z0-9](?:[A-Za-z0-9._\\-]*[A-Za-z0-9])?$"
    )]
    pub username: String,
    #[schema(example = "ann@example.org", max_length = 254)]
    pub email: String,
    /// 8 characters to 71 bytes.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", min_length = 8, max_length = 71)]
    pub password: Secret<String>,
    /// The name that others see; the username when left out.
    #[serde(default)]
    #[schema(example = "Ann Lee", min_length = 1, max_length = 64)]
    pub display_name: Option<String>,
}

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationError {
    /// Per field, what is wrong with it.
    #[error("some of the input is not valid")]
    Invalid(Vec<(&'static str, String)>),
    #[error("the username or e-mail address is taken")]
    Taken(Taken),
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for RegistrationError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<RegistrationError> for Problem {
    fn from(why: RegistrationError) -> Self {
        match why {
            RegistrationError::Invalid(errors) => errors
                .into_iter()
                .fold(Self::new(kind::INVALID_INPUT), |problem, (field, said)| problem.field(field, said)),
            RegistrationError::Taken(taken) => taken.into(),
            RegistrationError::Overloaded(why) => why.into(),
            RegistrationError::Database(why) => why.into(),
        }
    }
}

impl From<Taken> for Problem {
    fn from(taken: Taken) -> Self {
        let mut problem = Self::new(kind::CONFLICT).detail("Somebody registered with this already.");
        if taken.username {
            problem = problem.field("username", "This username is taken.");
        }
        if taken.email {
            problem = problem.field("email", "An account with this address exists.");
        }
        problem
    }
}

struct Checked {
    username: Username,
    email: Email,
    display_name: DisplayName,
    password: Password,
}

impl Registration {
    /// All mistakes at once, so that a person mends them in one go.
    fn check(&self, role: Role) -> Result<Checked, RegistrationError> {
        let mut mistakes = Vec::new();
        let mut note = |field, said: String| mistakes.push((field, said));
        let username = Username::parse(&self.username).map_err(|said| note("username", said)).ok();
        let username = username.filter(|name| {
            let refused = name.is_reserved() && role != Role::Admin;
            if refused {
                note("username", "This username is reserved.".to_owned());
            }
            !refused
        });
        let email = Email::parse(&self.email).map_err(|said| note("email", said)).ok();
        let name = self.display_name.as_deref().unwrap_or(&self.username);
        let display_name = DisplayName::parse(name);
        // A wrong username that stands in for the name is said once.
        let display_name = match (display_name, &self.display_name) {
            (Err(said), Some(_)) => {
                note("display_name", said);
                None
            }
            (parsed, _) => parsed.ok(),
        };
        let names = [self.username.as_str(), self.email.as_str()];
        let password = Password::parse(self.password.expose(), &names);
        let password = password.map_err(|weakness| note("password", weakness.to_string())).ok();
        match (username, email, display_name, password) {
            (Some(username), Some(email), Some(display_name), Some(password)) if mistakes.is_empty() => {
                Ok(Checked { username, email, display_name, password })
            }
            _ => Err(RegistrationError::Invalid(mistakes)),
        }
    }
}

impl Accounts {
    /// Registers a user with `role`. `actor` is the administrator who does it, where the user does not.
    pub(crate) async fn register(
        &self,
        input: Registration,
        role: Role,
        actor: Option<UserId>,
    ) -> Result<UserRow, RegistrationError> {
        let checked = input.check(role)?;
        let (username, email) = (key(checked.username.as_str()), key(checked.email.as_str()));
        // Asked before hashing, so that a taken name costs no tenth of a second; the constraints decide in the end.
        let taken = self.database.read(move |db| users::taken(db, &username, &email, None)).await?;
        if let Some(taken) = taken {
            return Err(RegistrationError::Taken(taken));
        }
        let hash = self.hasher.hash(checked.password).await?;
        let now = self.clock.now();
        let user = UserRow::new(
            checked.username.as_str(),
            checked.email.as_str(),
            checked.display_name.as_str(),
            role,
            now,
        );
        let user = self.database.write(move |db| insert(db, user, hash, actor, now)).await?;
        self.wake_deliveries();
        Ok(user)
    }
}

fn insert(
    db: &mut Db,
    user: UserRow,
    hash: String,
    actor: Option<UserId>,
    now: Timestamp,
) -> Result<UserRow, RegistrationError> {
    match users::insert(db, &user) {
        Ok(()) => {}
        Err(why) => {
            let about = |column| why.violation().is_some_and(|violation| violation.is_about(column));
            let taken = Taken { username: about("username_key"), email: about("email_key") };
            return Err(if taken.is_any() { RegistrationError::Taken(taken) } else { why.into() });
        }
    }
    credentials::insert_first(db, &user, hash, now)?;
    events::publish(db, &user, actor)?;
    Ok(user)
}

/// Makes the id of somebody new.
impl UserRow {
    fn new(username: &str, email: &str, display_name: &str, role: Role, now: Timestamp) -> Self {
        Self {
            id: UserId::new(),
            username: username.to_owned(),
            username_key: key(username),
            email: email.to_owned(),
            email_key: key(email),
            email_verified: false,
            display_name: display_name.to_owned(),
            search_key: users::search_key(username, display_name),
            bio: String::new(),
            role,
            avatar: None,
            version: 1,
            created_at_ms: now,
            updated_at_ms: now,
            locked_at_ms: None,
            deleted_at_ms: None,
        }
    }
}
