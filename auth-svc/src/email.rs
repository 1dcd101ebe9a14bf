//! Showing that an e-mail address is one's own.

use irongate_shared::{db::DbError, id::UserId, problem::Problem, service::Client};

use crate::{
    Auth,
    audit::{self, Event},
    events,
    mail::{self, LinkError, Purpose},
    password::is_for,
    store::credentials,
    throttle::{self, Subject, TooMany},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum EmailError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error("the copy of an account cannot be read")]
    Account(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for EmailError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<EmailError> for Problem {
    fn from(why: EmailError) -> Self {
        match why {
            EmailError::Link(why) => why.into(),
            EmailError::TooMany(why) => why.into(),
            EmailError::Account(why) => Self::internal(why),
            EmailError::Database(why) => why.into(),
        }
    }
}

impl Auth {
    /// Mails a link to the user's address, unless that is verified already.
    pub(crate) async fn mail_verification(&self, user: UserId) -> Result<(), EmailError> {
        let (now, origin) = (self.clock.now(), self.origin.clone());
        self.database
            .write(move |db| {
                let Some(credential) = credentials::of(db, user)? else { return Ok(()) };
                let account = credential.user()?;
                if account.email_verified {
                    return Ok(());
                }
                let subject = [Subject::MailTo(credential.email_key)];
                throttle::look_alone(db, &subject, now)??;
                throttle::count(db, &subject, now)?;
                Ok(mail::send_link(db, Purpose::VerifyEmail, &account, &origin, now)?)
            })
            .await
    }

    /// Takes a mailed link as proof.
    pub(crate) async fn verify_email(&self, token: String, client: Client) -> Result<(), EmailError> {
        let now = self.clock.now();
        self.database
            .write(move |db| {
                let (user, email) = mail::look_up(db, Purpose::VerifyEmail, &token, now)??;
                let credential = credentials::of(db, user)?.filter(|credential| is_for(credential, &email));
                let mut account = credential.ok_or(LinkError)?.user()?;
                if !mail::use_up(db, &token)? {
                    return Err(LinkError.into());
                }
                account.email_verified = true;
                credentials::set_account(db, &account)?;
                events::email_verified(db, user, &account.email, now)?;
                audit::record(db, Event::EmailVerified, Some(user), &client, now)?;
                Ok::<_, EmailError>(())
            })
            .await?;
        self.wake.notify_one();
        Ok(())
    }
}
