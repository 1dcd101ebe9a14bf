//! Changing an account: every change of every kind goes through [`Accounts::change`].

use std::time::Duration;

use irongate_shared::{
    account::key,
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    problem::{Problem, kind},
    token::revocation::{self, Revocation},
};
use serde::Deserialize;

use super::{
    Accounts,
    fields::{Bio, DisplayName, Email},
};
use crate::{
    events,
    store::users::{self, Taken, UserRow},
};

/// Which version a change is meant for (RFC 9110 §13.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfMatch {
    Any,
    Versions(Vec<i64>),
}

/// What users change of their own profile; what is left out stays.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileChange {
    #[schema(example = "Ann Lee", min_length = 1, max_length = 64)]
    display_name: Option<String>,
    #[schema(example = "Gardener.", max_length = 500)]
    bio: Option<String>,
    /// A new address is unverified until its owner follows the link that is mailed there.
    #[schema(example = "ann@example.org", max_length = 254)]
    email: Option<String>,
}

/// A [`ProfileChange`] that keeps the rules.
#[derive(Debug, Default)]
pub(crate) struct CheckedChange {
    display_name: Option<DisplayName>,
    bio: Option<Bio>,
    email: Option<Email>,
}

/// Why an account stays as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("there is no such user")]
    NoSuchUser,
    #[error("the account was changed meanwhile")]
    ChangedMeanwhile,
    #[error("some of the input is not valid")]
    Invalid(Vec<(&'static str, String)>),
    #[error("the username or e-mail address is taken")]
    Taken(Taken),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for ChangeError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<ChangeError> for Problem {
    fn from(why: ChangeError) -> Self {
        match why {
            ChangeError::NoSuchUser => Self::new(kind::NOT_FOUND).detail("There is no such user."),
            ChangeError::ChangedMeanwhile => Self::new(kind::PRECONDITION_FAILED)
                .detail("Load it again, look at what changed, and send your change once more."),
            ChangeError::Invalid(errors) => errors
                .into_iter()
                .fold(Self::new(kind::INVALID_INPUT), |problem, (field, said)| problem.field(field, said)),
            ChangeError::Taken(taken) => taken.into(),
            ChangeError::Database(why) => why.into(),
        }
    }
}

impl ProfileChange {
    pub(crate) fn of(display_name: Option<String>, bio: Option<String>, email: Option<String>) -> Self {
        Self { display_name, bio, email }
    }

    /// Whether it changes what mails with links go to.
    pub(crate) fn moves_address(&self) -> bool {
        self.email.is_some()
    }

    pub(crate) fn check(&self) -> Result<CheckedChange, ChangeError> {
        let mut mistakes = Vec::new();
        let mut note = |field, said: String| mistakes.push((field, said));
        let checked = CheckedChange {
            display_name: self
                .display_name
                .as_deref()
                .and_then(|text| DisplayName::parse(text).map_err(|said| note("display_name", said)).ok()),
            bio: self.bio.as_deref().and_then(|text| Bio::parse(text).map_err(|said| note("bio", said)).ok()),
            email: self
                .email
                .as_deref()
                .and_then(|text| Email::parse(text).map_err(|said| note("email", said)).ok()),
        };
        if mistakes.is_empty() { Ok(checked) } else { Err(ChangeError::Invalid(mistakes)) }
    }
}

impl CheckedChange {
    pub(crate) fn apply(self, user: &mut UserRow) {
        if let Some(name) = self.display_name {
            user.display_name = name.as_str().to_owned();
            user.search_key = users::search_key(&user.username, &user.display_name);
        }
        if let Some(bio) = self.bio {
            user.bio = bio.as_str().to_owned();
        }
        if let Some(email) = self.email
            && email.as_str() != user.email
        {
            user.email_key = key(email.as_str());
            user.email = email.as_str().to_owned();
            user.email_verified = false;
        }
    }
}

impl Accounts {
    /// Changes one account by `edit`, if it is still of a version that `if_match` allows. `actor` is the
    /// administrator who does it, where the user does not.
    pub(crate) async fn change<F>(
        &self,
        id: UserId,
        if_match: IfMatch,
        actor: Option<UserId>,
        edit: F,
    ) -> Result<UserRow, ChangeError>
    where
        F: FnOnce(&mut UserRow) + Send + 'static,
    {
        let now = self.clock.now();
        let user = self.database.write(move |db| change(db, id, &if_match, actor, now, edit)).await?;
        self.wake_deliveries();
        Ok(user)
    }

    /// Deletes an account softly: nobody finds it, its names stay taken until it is erased.
    pub(crate) async fn delete(
        &self,
        id: UserId,
        if_match: IfMatch,
        actor: Option<UserId>,
    ) -> Result<(), ChangeError> {
        let now = self.clock.now();
        self.change(id, if_match, actor, move |user| user.deleted_at_ms = Some(now)).await.map(drop)
    }
}

fn change(
    db: &mut Db,
    id: UserId,
    if_match: &IfMatch,
    actor: Option<UserId>,
    now: Timestamp,
    edit: impl FnOnce(&mut UserRow),
) -> Result<UserRow, ChangeError> {
    let mut user = users::locked_for_change(db, id)?.ok_or(ChangeError::NoSuchUser)?;
    match if_match {
        IfMatch::Versions(versions) if !versions.contains(&user.version) => {
            return Err(ChangeError::ChangedMeanwhile);
        }
        IfMatch::Versions(_) | IfMatch::Any => {}
    }
    let before = user.clone();
    edit(&mut user);
    if user == before {
        return Ok(user);
    }
    user.version += 1;
    // Never earlier than the version before, whatever the clock says: events are ordered by it.
    user.updated_at_ms = now.max(before.updated_at_ms + Duration::from_millis(1));
    if user.email_key != before.email_key
        && let Some(taken) = users::taken(db, &user.username_key, &user.email_key, Some(id))?
    {
        return Err(ChangeError::Taken(taken));
    }
    users::update(db, &user).map_err(|why| {
        let email = why.violation().is_some_and(|violation| violation.is_about("email_key"));
        if email { ChangeError::Taken(Taken { username: false, email }) } else { why.into() }
    })?;
    if may_do_other_things(&before, &user) {
        // SECURITY: the tokens that are about say what is no longer true, and auth-svc makes more of them until it
        // knows. So nobody accepts any, from this transaction on, until auth-svc has taken the event in.
        let for_ever = Timestamp::from_millis(i64::MAX);
        revocation::revoke(db, Revocation::User(id), user.updated_at_ms, for_ever)?;
    }
    events::publish(db, &user, actor)?;
    Ok(user)
}

/// Whether a change takes or gives rights.
fn may_do_other_things(before: &UserRow, after: &UserRow) -> bool {
    before.role != after.role || before.status() != after.status()
}
