//! Changing a password, by who knows it or by who reads the mail.

use irongate_shared::{
    account::{AccountStatus, User, key},
    clock::Timestamp,
    db::{Db, DbError},
    password::{Overloaded, Password, Verdict, Weakness},
    problem::{Problem, kind},
    service::Client,
    token::Identity,
};

use crate::{
    Auth,
    audit::{self, Event},
    config::Settings,
    mail::{self, Letter, LinkError, Purpose},
    session,
    store::credentials::{self, CredentialRow},
    throttle::{self, Subject, TooMany},
};

/// Why a password stays as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("the current password is wrong")]
    WrongCurrent,
    #[error("the new password is not accepted: {0}")]
    Weak(Weakness),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    #[error("the copy of an account cannot be read")]
    Account(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for PasswordError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<PasswordError> for Problem {
    fn from(why: PasswordError) -> Self {
        match why {
            // Not a 401: the request was authenticated, one of its fields is wrong.
            PasswordError::WrongCurrent => {
                Self::new(kind::INVALID_INPUT).field("current_password", "This is not your password.")
            }
            PasswordError::Weak(weakness) => {
                Self::new(kind::INVALID_INPUT).field("new_password", weakness.to_string())
            }
            PasswordError::Link(why) => why.into(),
            PasswordError::TooMany(why) => why.into(),
            PasswordError::Overloaded(why) => why.into(),
            PasswordError::Account(why) => Self::internal(why),
            PasswordError::Database(why) => why.into(),
        }
    }
}

impl Auth {
    /// Changes the password of who is signed in; all their other sessions end.
    pub(crate) async fn change_password(
        &self,
        identity: &Identity,
        current: String,
        new: &str,
        client: Client,
    ) -> Result<(), PasswordError> {
        let (user, session, now) = (identity.user, identity.session, self.clock.now());
        let proof = Subject::Proof(user);
        let looked = proof.clone();
        let found = self
            .database
            .read(move |db| {
                throttle::look(db, &[looked], now)??;
                Ok::<_, PasswordError>(credentials::of(db, user)?)
            })
            .await?;
        let credential = found.ok_or(PasswordError::WrongCurrent)?;
        let (account, set_at) = (credential.user()?, credential.password_set_at_ms);
        let new = Password::parse(new, &[&account.username, &account.email]).map_err(PasswordError::Weak)?;
        if self.hasher.verify(current, credential.password_hash).await? == Verdict::Wrong {
            self.database.write(move |db| throttle::count(db, &[proof], now)).await?;
            return Err(PasswordError::WrongCurrent);
        }
        let hash = self.hasher.hash(new).await?;
        let settings = self.settings.clone();
        self.database
            .write(move |db| {
                throttle::forgive(db, &proof)?;
                audit::record(db, Event::PasswordChanged, Some(user), &client, now)?;
                // SECURITY: check-then-act race: a reset meanwhile is the owner's last word.
                if !credentials::set_password(db, user, &hash, now, Some(set_at))? {
                    return Err(PasswordError::WrongCurrent);
                }
                was_set(db, &account, Some(session), now, &settings)
            })
            .await?;
        self.verifier.settled().await;
        Ok(())
    }

    /// Mails a link to choose a new password with, if somebody has the address. Who asks is not told.
    pub(crate) async fn mail_reset_link(&self, email: &str) -> Result<(), DbError> {
        let (email, now, origin) = (key(email), self.clock.now(), self.origin.clone());
        self.database
            .write(move |db| {
                let subject = Subject::MailTo(email.clone());
                if throttle::look_alone(db, std::slice::from_ref(&subject), now)?.is_err() {
                    return Ok(());
                }
                throttle::count(db, &[subject], now)?;
                let found = credentials::by_name(db, &email)?.filter(|_| email.contains('@'));
                let found = found.filter(|credential| credential.status() == AccountStatus::Active);
                match found.map(|credential| credential.user()) {
                    Some(Ok(user)) => mail::send_link(db, Purpose::ResetPassword, &user, &origin, now),
                    Some(Err(_)) | None => Ok(()),
                }
            })
            .await
    }

    /// Whether mail may be asked for from this address; counts that it was.
    pub(crate) async fn may_ask_for_mail(&self, client: &Client) -> Result<(), PasswordError> {
        let (now, from) = (self.clock.now(), [Subject::MailFrom(client.ip)]);
        self.database
            .write(move |db| {
                throttle::look_alone(db, &from, now)??;
                Ok(throttle::count(db, &from, now)?)
            })
            .await
    }

    /// Sets a new password with a mailed link; all sessions end. Whoever reads the mail owns the address.
    pub(crate) async fn reset_password(
        &self,
        token: &str,
        new: &str,
        client: Client,
    ) -> Result<(), PasswordError> {
        let now = self.clock.now();
        let sought = token.to_owned();
        let account = self
            .database
            .read(move |db| {
                let (user, email) = mail::look_up(db, Purpose::ResetPassword, &sought, now)??;
                let credential = credentials::of(db, user)?.filter(|credential| is_for(credential, &email));
                Ok::<_, PasswordError>(credential.ok_or(LinkError)?.user()?)
            })
            .await?;
        let new = Password::parse(new, &[&account.username, &account.email]).map_err(PasswordError::Weak)?;
        let hash = self.hasher.hash(new).await?;
        let (token, settings) = (token.to_owned(), self.settings.clone());
        self.database
            .write(move |db| {
                if !mail::use_up(db, &token)? {
                    return Err(LinkError.into());
                }
                audit::record(db, Event::PasswordReset, Some(account.id), &client, now)?;
                credentials::set_password(db, account.id, &hash, now, None)?;
                was_set(db, &account, None, now, &settings)
            })
            .await?;
        self.verifier.settled().await;
        Ok(())
    }
}

/// A link is for the address that it was sent to, as long as that is the user's.
pub(crate) fn is_for(credential: &CredentialRow, email_key: &str) -> bool {
    credential.status() == AccountStatus::Active && credential.email_key == email_key
}

/// What a new password brings with it.
fn was_set(
    db: &mut Db,
    user: &User,
    except: Option<irongate_shared::id::SessionId>,
    now: Timestamp,
    settings: &Settings,
) -> Result<(), PasswordError> {
    session::end_all_of(db, user.id, except, now, settings)?;
    Letter::PasswordChanged.post(db, user, now)?;
    Ok(())
}
