//! Between the right password and the session: the second factor is asked for.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use irongate_shared::{
    account::User,
    clock::Timestamp,
    db::{Db, DbError},
    id::{SessionId, UserId},
    problem::{Kind, Problem},
    secret::random_key,
    service::Client,
};
use sha2::{Digest as _, Sha256};

use super::{codes, totp};
use crate::{
    Auth,
    audit::{self, Event},
    session,
    sign_in::{RefreshIn, SignInError, SignedIn},
    store::mfa::{self, ChallengeRow},
    throttle::{self, Subject, TooMany},
    token::Sealer,
};

const LIFETIME: Duration = Duration::from_secs(300);

/// Wrong codes that one challenge takes.
const ATTEMPTS: i64 = 5;

/// A sign-in that waits for a code.
#[derive(Debug)]
pub(crate) struct Challenge {
    pub mfa_token: String,
}

/// Why the second factor was not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChallengeError {
    #[error("the code is wrong")]
    WrongCode,
    /// Never made, too old, or too often answered wrongly.
    #[error("the sign-in has to begin anew")]
    Over,
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl From<DbError> for ChallengeError {
    fn from(why: DbError) -> Self {
        SignInError::from(why).into()
    }
}

impl From<diesel::result::Error> for ChallengeError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

pub(crate) const WRONG_CODE: Kind = Kind::new("wrong-code", 401, "The code is wrong");
pub(crate) const SIGN_IN_OVER: Kind = Kind::new("sign-in-over", 401, "This sign-in took too long");

impl From<ChallengeError> for Problem {
    fn from(why: ChallengeError) -> Self {
        match why {
            ChallengeError::WrongCode => Self::new(WRONG_CODE)
                .detail("Wait for the next code of your app and try that, or use a recovery code."),
            ChallengeError::Over => Self::new(SIGN_IN_OVER).detail("Begin again with your password."),
            ChallengeError::TooMany(why) => why.into(),
            ChallengeError::SignIn(why) => why.into(),
        }
    }
}

/// Asks for the second factor of a user who has one; `None` for the others.
pub(crate) fn begin(
    db: &mut Db,
    user: UserId,
    refresh_in: RefreshIn,
    now: Timestamp,
) -> Result<Option<Challenge>, DbError> {
    let has_one = mfa::totp_of(db, user)?.is_some_and(|row| row.confirmed_at_ms.is_some());
    if !has_one {
        return Ok(None);
    }
    let token = random_key();
    mfa::insert_challenge(
        db,
        &ChallengeRow {
            hash: Sha256::digest(token).to_vec(),
            user_id: user,
            refresh_in: refresh_in.as_str().to_owned(),
            attempts: 0,
            expires_at_ms: now + LIFETIME,
        },
    )?;
    Ok(Some(Challenge { mfa_token: URL_SAFE_NO_PAD.encode(token) }))
}

/// Whether this is a code of the user's app or one of their recovery codes; it is used up then.
pub(super) fn accept(
    db: &mut Db,
    sealer: &Sealer,
    user: UserId,
    code: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    if mfa::use_recovery_code(db, user, &codes::hash(code), now)? {
        return Ok(true);
    }
    let Some(row) = mfa::totp_of(db, user)? else { return Ok(false) };
    let Ok(secret) = sealer.open(row.user_id.as_str(), &row.secret) else {
        tracing::error!(user = %user, "a TOTP secret was sealed with another master key");
        return Ok(false);
    };
    match totp::step_of(&secret, code.trim(), now) {
        // SECURITY: replay: a code that was looked over somebody's shoulder has been used already.
        Some(step) => mfa::advance_totp(db, user, step),
        None => Ok(false),
    }
}

/// What the right code opens.
struct Opened {
    session: SessionId,
    token: session::RefreshToken,
    user: User,
}

impl Auth {
    /// Goes on with a sign-in whose password was right.
    pub(crate) async fn prove_second_factor(
        &self,
        mfa_token: &str,
        code: String,
        client: Client,
    ) -> Result<(SignedIn, RefreshIn), ChallengeError> {
        let token = URL_SAFE_NO_PAD.decode(mfa_token).map_err(|_| ChallengeError::Over)?;
        let (hash, now) = (Sha256::digest(token).to_vec(), self.clock.now());
        let (sealer, succession, settings) =
            (self.totp_sealer.clone(), self.succession.clone(), self.settings.clone());
        let (opened, refresh_in) = self
            .database
            .write(move |db| {
                let challenge =
                    mfa::attempt_challenge(db, &hash, ATTEMPTS, now)?.ok_or(ChallengeError::Over)?;
                let user = challenge.user_id;
                let refresh_in = RefreshIn::parse(&challenge.refresh_in);
                let proof = Subject::Proof(user);
                throttle::look_alone(db, std::slice::from_ref(&proof), now)??;
                if !accept(db, &sealer, user, &code, now)? {
                    throttle::count(db, &[proof], now)?;
                    audit::record(db, Event::SignInFailed, Some(user), &client, now)?;
                    return Ok((None, refresh_in));
                }
                mfa::delete_challenge(db, &hash)?;
                throttle::forgive(db, &proof)?;
                let credential = session::may_have_tokens(db, user, now)?;
                audit::record(db, Event::SignedIn, Some(user), &client, now)?;
                let (session, token) = session::open(db, &succession, user, &client, now, &settings)?;
                let user = credential.user().map_err(SignInError::from)?;
                Ok::<_, ChallengeError>((Some(Opened { session, token, user }), refresh_in))
            })
            .await?;
        let Opened { session, token, user } = opened.ok_or(ChallengeError::WrongCode)?;
        let access = self.signer.mint(&user, session).await.map_err(SignInError::from)?;
        Ok((SignedIn { access, refresh: token, user }, refresh_in))
    }
}
