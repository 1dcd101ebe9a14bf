//! What the mails say.

use irongate_shared::{
    account::User,
    clock::Timestamp,
    db::{Db, DbError},
};

use crate::store::mails::{self, MailRow};

/// A mail to a user. Its texts name nothing that its reader did not write themselves but the username.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Letter {
    VerifyEmail { link: String },
    ResetPassword { link: String },
    PasswordChanged,
    SecondFactorRemoved,
}

impl Letter {
    const fn subject(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "Confirm your e-mail address",
            Self::ResetPassword { .. } => "Choose a new password",
            Self::PasswordChanged => "Your password was changed",
            Self::SecondFactorRemoved => "Two-step sign-in was switched off",
        }
    }

    fn body(&self, user: &User) -> String {
        let name = &user.username;
        match self {
            Self::VerifyEmail { link } => format!(
                "Hello {name},\n\nplease confirm that this is your address by opening\n\n{link}\n\nwithin a day. If you did not \
                 ask for this, you need not do anything.\n"
            ),
            Self::ResetPassword { link } => format!(
                "Hello {name},\n\nto choose a new password, open\n\n{link}\n\nwithin half an hour. If you did not ask for this, you \
                 need not do anything: your password stays as it is.\n"
            ),
            Self::PasswordChanged => format!(
                "Hello {name},\n\nyour password was changed a moment ago, and all other devices were signed out. If that was not \
                 you, reset it at once and look at where you are signed in.\n"
            ),
            Self::SecondFactorRemoved => format!(
                "Hello {name},\n\ntwo-step sign-in was switched off for your account a moment ago. If that was not you, change your \
                 password at once.\n"
            ),
        }
    }

    /// Hands the mail to the worker, in the caller's transaction.
    pub(crate) fn post(&self, db: &mut Db, to: &User, now: Timestamp) -> Result<(), DbError> {
        mails::insert(
            db,
            &MailRow {
                id: uuid::Uuid::now_v7().to_string(),
                recipient: to.email.clone(),
                subject: self.subject().to_owned(),
                body: self.body(to),
                created_at_ms: now,
                attempts: 0,
                next_attempt_at_ms: now,
            },
        )
    }
}
