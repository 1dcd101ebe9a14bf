//! Switching the second factor on and off.

use irongate_shared::{
    db::{Db, DbError},
    id::UserId,
    problem::{Problem, kind},
    secret::random_key,
    service::Client,
};

use super::{challenge::accept, codes, totp};
use crate::{
    Auth,
    audit::{self, Event},
    mail::Letter,
    store::{credentials, mfa, passkeys},
    throttle::{self, Subject, TooMany},
};

/// Which second factors a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Factors {
    pub totp: bool,
    pub passkeys: i64,
    pub recovery_codes_left: i64,
}

/// What an authenticator app needs.
#[derive(Debug)]
pub(crate) struct Setup {
    pub secret: String,
    pub otpauth_url: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum MfaError {
    #[error("the code is wrong")]
    WrongCode,
    #[error("the second factor is on already")]
    OnAlready,
    #[error("the second factor is not set up")]
    NotSetUp,
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error("the copy of an account cannot be read")]
    Account(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for MfaError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<MfaError> for Problem {
    fn from(why: MfaError) -> Self {
        match why {
            MfaError::WrongCode => Self::new(kind::INVALID_INPUT)
                .field("code", "Wait for the next code of your app and try that."),
            MfaError::OnAlready => {
                Self::new(kind::CONFLICT).detail("Two-step sign-in is on. Switch it off to set it up anew.")
            }
            MfaError::NotSetUp => Self::new(kind::CONFLICT).detail("Begin by setting two-step sign-in up."),
            MfaError::TooMany(why) => why.into(),
            MfaError::Account(why) => Self::internal(why),
            MfaError::Database(why) => why.into(),
        }
    }
}

/// Recovery codes to show once, in place of all others.
fn new_recovery_codes(db: &mut Db, user: UserId) -> Result<Vec<String>, DbError> {
    let (codes, hashes) = codes::generate();
    mfa::replace_recovery_codes(db, user, &hashes)?;
    Ok(codes)
}

/// The same for who has none left: whoever gets a second factor must be able to lose it.
pub(super) fn recovery_codes_if_none(db: &mut Db, user: UserId) -> Result<Option<Vec<String>>, DbError> {
    if mfa::recovery_codes_left(db, user)? > 0 {
        return Ok(None);
    }
    new_recovery_codes(db, user).map(Some)
}

impl Auth {
    pub(crate) async fn second_factors_of(&self, user: UserId) -> Result<Factors, DbError> {
        self.database
            .read(move |db| {
                let totp = mfa::totp_of(db, user)?.is_some_and(|row| row.confirmed_at_ms.is_some());
                let passkeys = passkeys::count_of(db, user)?;
                Ok(Factors { totp, passkeys, recovery_codes_left: mfa::recovery_codes_left(db, user)? })
            })
            .await
    }

    /// Begins to set up an app. Nothing is asked for at sign-in until a code of it has been shown.
    pub(crate) async fn begin_totp(&self, user: UserId, username: &str) -> Result<Setup, MfaError> {
        let random = random_key();
        let secret = random.get(..totp::SECRET_BYTES).unwrap_or(&random);
        let sealed = self.totp_sealer.seal(user.as_str(), secret);
        let begun = self.database.write(move |db| mfa::begin_totp(db, user, &sealed)).await?;
        if !begun {
            return Err(MfaError::OnAlready);
        }
        let secret = codes::base32(secret);
        Ok(Setup { otpauth_url: totp::otpauth_url("Irongate", username, &secret), secret })
    }

    /// Switches it on for who shows a code, and gives recovery codes.
    pub(crate) async fn confirm_totp(
        &self,
        user: UserId,
        code: String,
        client: Client,
    ) -> Result<Vec<String>, MfaError> {
        let (now, sealer) = (self.clock.now(), self.totp_sealer.clone());
        let confirmed = self
            .database
            .write(move |db| {
                let row = mfa::totp_of(db, user)?.ok_or(MfaError::NotSetUp)?;
                if row.confirmed_at_ms.is_some() {
                    return Err(MfaError::OnAlready);
                }
                let proof = Subject::Proof(user);
                throttle::look_alone(db, std::slice::from_ref(&proof), now)??;
                if !accept(db, &sealer, user, &code, now)? {
                    throttle::count(db, &[proof], now)?;
                    return Ok(None);
                }
                mfa::confirm_totp(db, user, now)?;
                let codes = new_recovery_codes(db, user)?;
                audit::record(db, Event::SecondFactorAdded, Some(user), &client, now)?;
                Ok(Some(codes))
            })
            .await?;
        confirmed.ok_or(MfaError::WrongCode)
    }

    /// Gives new recovery codes in place of those that are left.
    pub(crate) async fn renew_recovery_codes(
        &self,
        user: UserId,
        client: Client,
    ) -> Result<Vec<String>, MfaError> {
        let now = self.clock.now();
        self.database
            .write(move |db| {
                if !mfa::has_factor(db, user)? {
                    return Err(MfaError::NotSetUp);
                }
                audit::record(db, Event::RecoveryCodesRenewed, Some(user), &client, now)?;
                Ok(new_recovery_codes(db, user)?)
            })
            .await
    }

    /// Switches it off for who shows a code.
    pub(crate) async fn end_totp(&self, user: UserId, code: String, client: Client) -> Result<(), MfaError> {
        let (now, sealer) = (self.clock.now(), self.totp_sealer.clone());
        let ended = self
            .database
            .write(move |db| {
                let proof = Subject::Proof(user);
                throttle::look_alone(db, std::slice::from_ref(&proof), now)??;
                if mfa::totp_of(db, user)?.is_none() {
                    return Err(MfaError::NotSetUp);
                }
                if !accept(db, &sealer, user, &code, now)? {
                    throttle::count(db, &[proof], now)?;
                    return Ok(false);
                }
                mfa::delete_totp(db, user)?;
                mfa::delete_codes_if_last(db, user)?;
                audit::record(db, Event::SecondFactorRemoved, Some(user), &client, now)?;
                if let Some(credential) = credentials::of(db, user)? {
                    Letter::SecondFactorRemoved.post(db, &credential.user()?, now)?;
                }
                Ok(true)
            })
            .await?;
        if ended { Ok(()) } else { Err(MfaError::WrongCode) }
    }
}
