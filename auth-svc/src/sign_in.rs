//! Who gets in: a name, a password, and everything that must not be learnt from the answer.

mod passkey;

use irongate_shared::{
    account::{AccountStatus, User, key},
    db::DbError,
    password::{Overloaded, Verdict},
    problem::{Kind, Problem},
    service::Client,
};
use serde::Deserialize;

use crate::{
    Auth,
    audit::{self, Event},
    mfa::{self, Challenge},
    session::{self, RefreshToken},
    store::credentials,
    throttle::{self, Subject, TooMany},
    token::{Minted, SignerError},
};

pub(crate) use passkey::WRONG_PASSKEY;

/// A session as its owner gets it.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub access: Minted,
    pub refresh: RefreshToken,
    pub user: User,
}

/// What the right password comes to.
#[derive(Debug)]
pub(crate) enum Admitted {
    SignedIn(Box<SignedIn>),
    /// The second factor is asked for.
    Challenged(Challenge),
}

/// Where the refresh token goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RefreshIn {
    /// For browsers: into a cookie that scripts cannot read.
    #[default]
    Cookie,
    /// For everybody else: into the answer.
    Body,
}

impl RefreshIn {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Body => "body",
        }
    }

    /// Reads [`RefreshIn::as_str`]; the schema knows no third.
    pub(crate) fn parse(text: &str) -> Self {
        if text == "body" { Self::Body } else { Self::Cookie }
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    /// No such name, or another password: the answer does not tell which.
    #[error("the name or the password is wrong")]
    WrongPassword,
    /// Said only to who knows the password.
    #[error("the account is locked")]
    Locked,
    /// user-svc has just changed what the tokens would say, and its word has not arrived.
    #[error("the account is being changed")]
    BeingChanged,
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    #[error(transparent)]
    Signer(#[from] SignerError),
    #[error("the copy of an account cannot be read")]
    Account(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] DbError),
}

pub(crate) const WRONG_PASSWORD: Kind = Kind::new("wrong-password", 401, "The name or the password is wrong");
pub(crate) const ACCOUNT_LOCKED: Kind = Kind::new("account-locked", 403, "This account is locked");

impl From<diesel::result::Error> for SignInError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<SignInError> for Problem {
    fn from(why: SignInError) -> Self {
        match why {
            SignInError::WrongPassword => {
                Self::new(WRONG_PASSWORD).detail("Check both and try again, or reset your password.")
            }
            SignInError::Locked => Self::new(ACCOUNT_LOCKED).detail("Ask an administrator to unlock it."),
            SignInError::BeingChanged => {
                Self::unavailable(why).detail("Your account is being changed. Please try again in a moment.")
            }
            SignInError::TooMany(why) => why.into(),
            SignInError::Overloaded(why) => why.into(),
            SignInError::Signer(why) => why.into(),
            SignInError::Account(why) => Self::internal(why),
            SignInError::Database(why) => why.into(),
        }
    }
}

impl Auth {
    /// Signs in by username or e-mail address and password.
    pub(crate) async fn sign_in(
        &self,
        name: &str,
        password: String,
        refresh_in: RefreshIn,
        client: Client,
    ) -> Result<Admitted, SignInError> {
        let name = key(name);
        let here = Subject::NameFrom(name.clone(), client.ip);
        let counted = [here.clone(), Subject::Name(name.clone()), Subject::Address(client.ip)];
        let (looked, now) = (counted.clone(), self.clock.now());
        let found = self
            .database
            .read(move |db| {
                throttle::look(db, &looked, now)??;
                Ok::<_, SignInError>(credentials::by_name(db, &name)?)
            })
            .await?;
        let stored = found.as_ref().and_then(|credential| credential.password_hash.clone());
        let verdict = self.hasher.verify(password, stored.clone()).await?;
        let now = self.clock.now();
        let (credential, upgraded) = match (found, verdict) {
            // SECURITY: user enumeration: a deleted account answers as one that never was.
            (Some(credential), Verdict::Right { upgraded })
                if credential.status() != AccountStatus::Deleted =>
            {
                (credential, upgraded)
            }
            (found, _) => {
                let user = found.map(|credential| credential.user_id);
                self.database
                    .write(move |db| {
                        throttle::count(db, &counted, now)?;
                        audit::record(db, Event::SignInFailed, user, &client, now)
                    })
                    .await?;
                return Err(SignInError::WrongPassword);
            }
        };
        let (succession, settings) = (self.succession.clone(), self.settings.clone());
        let opened = self
            .database
            .write(move |db| {
                // As it is now: comparing took its time.
                let id = credential.user_id;
                let set_at = credential.password_set_at_ms;
                let credential = session::may_have_tokens(db, id, now)?;
                // SECURITY: check-then-act race: the password was changed meanwhile, which ended all sessions.
                if credential.password_set_at_ms != set_at {
                    return Err(SignInError::WrongPassword);
                }
                throttle::forgive(db, &here)?;
                if let (Some(from), Some(to)) = (stored, upgraded) {
                    credentials::upgrade_hash(db, id, &from, &to)?;
                }
                if let Some(challenge) = mfa::begin(db, id, refresh_in, now)? {
                    return Ok(Err(challenge));
                }
                audit::record(db, Event::SignedIn, Some(id), &client, now)?;
                let (session, refresh) = session::open(db, &succession, id, &client, now, &settings)?;
                Ok::<_, SignInError>(Ok((session, refresh, credential.user()?)))
            })
            .await?;
        let (session, refresh, user) = match opened {
            Ok(opened) => opened,
            Err(challenge) => return Ok(Admitted::Challenged(challenge)),
        };
        let access = self.signer.mint(&user, session, now).await?;
        Ok(Admitted::SignedIn(Box::new(SignedIn { access, refresh, user })))
    }
}
