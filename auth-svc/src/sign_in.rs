//! Who gets in: a name, a password, and everything that must not be learnt from the answer.

use irongate_shared::{
    account::{User, key},
    db::DbError,
    password::{Overloaded, Verdict},
    problem::{Kind, Problem},
    service::Client,
};

use crate::{
    Auth,
    audit::{self, Event},
    session::{self, RefreshToken},
    store::credentials::{self, Status},
    token::{Minted, SignerError},
};

/// A session as its owner gets it.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub access: Minted,
    pub refresh: RefreshToken,
    pub user: User,
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
        client: Client,
    ) -> Result<SignedIn, SignInError> {
        let name = key(name);
        let found = self.database.read(move |db| credentials::by_name(db, &name)).await?;
        let stored = found.as_ref().and_then(|credential| credential.password_hash.clone());
        let verdict = self.hasher.verify(password, stored.clone()).await?;
        let now = self.clock.now();
        let (credential, upgraded) = match (found, verdict) {
            // SECURITY: user enumeration: a deleted account answers as one that never was.
            (Some(credential), Verdict::Right { upgraded }) if credential.status() != Status::Deleted => {
                (credential, upgraded)
            }
            (found, _) => {
                let user = found.map(|credential| credential.user_id);
                self.database
                    .write(move |db| audit::record(db, Event::SignInFailed, user, &client, now))
                    .await?;
                return Err(SignInError::WrongPassword);
            }
        };
        let user = credential.user()?;
        let (succession, settings) = (self.succession.clone(), self.settings.clone());
        let (session, refresh) = self
            .database
            .write(move |db| {
                session::may_have_tokens(db, credential.user_id, now)?;
                if let (Some(from), Some(to)) = (stored, upgraded) {
                    credentials::upgrade_hash(db, credential.user_id, &from, &to)?;
                }
                audit::record(db, Event::SignedIn, Some(credential.user_id), &client, now)?;
                Ok::<_, SignInError>(session::open(db, &succession, credential.user_id, &client, now, &settings)?)
            })
            .await?;
        let access = self.signer.mint(&user, session).await?;
        Ok(SignedIn { access, refresh, user })
    }
}
