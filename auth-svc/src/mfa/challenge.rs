//! Between the right password and the session: the second factor is asked for.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use irongate_shared::{
    account::User,
    clock::Timestamp,
    db::{Db, DbError},
    id::{SessionId, UserId},
    problem::{Kind, Problem, kind},
    secret::random_key,
    service::Client,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use webauthn_rs_proto::PublicKeyCredentialRequestOptions;

use super::{codes, totp};
use crate::{
    Auth,
    audit::{self, Event},
    passkey::{self, Begun, CeremonyError, PublicKeyCredential, Purpose, Refusal},
    session,
    sign_in::{RefreshIn, SignInError, SignedIn, WRONG_PASSKEY},
    store::{
        mfa::{self, ChallengeRow},
        passkeys::{self, CeremonyRow},
    },
    throttle::{self, Subject, TooMany},
    token::Sealer,
};

const LIFETIME: Duration = Duration::from_secs(300);

/// Wrong codes that one challenge takes.
const ATTEMPTS: i64 = 5;

/// A sign-in that waits for its second factor.
#[derive(Debug)]
pub(crate) struct Challenge {
    pub mfa_token: String,
    /// Never empty.
    pub methods: Vec<Method>,
}

/// What may be shown as the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    Passkey,
    /// A code of an app.
    Totp,
    /// A recovery code.
    Recovery,
}

/// What is shown.
#[derive(Debug)]
pub(crate) enum Shown {
    /// Of the app, or a recovery code.
    Code(String),
    /// The answer to a ceremony that [`Auth::begin_passkey_challenge`] began.
    Passkey { ceremony: String, answer: Box<PublicKeyCredential> },
}

/// Why the second factor was not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChallengeError {
    #[error("the code is wrong")]
    WrongCode,
    #[error(transparent)]
    WrongPasskey(#[from] Refusal),
    #[error("the user has no passkey")]
    NoPasskey,
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
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
            ChallengeError::WrongPasskey(_) => {
                Self::new(WRONG_PASSKEY).detail("Use another one of yours, or a code.").because(why)
            }
            ChallengeError::NoPasskey => {
                Self::new(kind::CONFLICT).detail("You have no passkey here. Use a code of your app.")
            }
            ChallengeError::Ceremony(why) => why.into(),
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
    let methods = methods_of(db, user)?;
    if methods.is_empty() {
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
    Ok(Some(Challenge { mfa_token: URL_SAFE_NO_PAD.encode(token), methods }))
}

/// What a user may show; empty when nothing is asked for.
fn methods_of(db: &mut Db, user: UserId) -> Result<Vec<Method>, DbError> {
    let mut methods = Vec::new();
    if passkeys::count_of(db, user)? > 0 {
        methods.push(Method::Passkey);
    }
    if mfa::totp_of(db, user)?.is_some_and(|row| row.confirmed_at_ms.is_some()) {
        methods.push(Method::Totp);
    }
    if !methods.is_empty() && mfa::recovery_codes_left(db, user)? > 0 {
        methods.push(Method::Recovery);
    }
    Ok(methods)
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

/// What the right factor opens.
struct Opened {
    session: SessionId,
    token: session::RefreshToken,
    user: User,
}

fn hash_of(mfa_token: &str) -> Result<Vec<u8>, ChallengeError> {
    let token = URL_SAFE_NO_PAD.decode(mfa_token).map_err(|_| ChallengeError::Over)?;
    Ok(Sha256::digest(token).to_vec())
}

/// A code, or a passkey's answer with the ceremony that it belongs to.
enum Proof {
    Code(String),
    Passkey(CeremonyRow, Box<PublicKeyCredential>),
}

impl Auth {
    /// Asks for a passkey of the user who signs in.
    pub(crate) async fn begin_passkey_challenge(
        &self,
        mfa_token: &str,
        client: &Client,
    ) -> Result<Begun<PublicKeyCredentialRequestOptions>, ChallengeError> {
        let (hash, now, party) = (hash_of(mfa_token)?, self.clock.now(), self.relying_party.clone());
        let asking = [Subject::Ceremonies(client.ip)];
        self.database
            .write(move |db| {
                throttle::look_alone(db, &asking, now)??;
                throttle::count(db, &asking, now)?;
                let challenge = mfa::open_challenge(db, &hash, now)?.ok_or(ChallengeError::Over)?;
                let user = challenge.user_id;
                let rows = passkeys::of(db, user)?;
                if rows.is_empty() {
                    return Err(ChallengeError::NoPasskey);
                }
                Ok(passkey::begin_sign_in(db, &party, Some((user, &rows)), now)?)
            })
            .await
    }

    /// Goes on with a sign-in whose password was right.
    pub(crate) async fn prove_second_factor(
        &self,
        mfa_token: &str,
        shown: Shown,
        client: Client,
    ) -> Result<(SignedIn, RefreshIn), ChallengeError> {
        let (hash, now) = (hash_of(mfa_token)?, self.clock.now());
        let proof = match shown {
            Shown::Code(code) => Proof::Code(code),
            Shown::Passkey { ceremony, answer } => {
                let take = move |db: &mut Db| passkey::take(db, &ceremony, Purpose::SecondFactor, now);
                Proof::Passkey(self.database.write(take).await?, answer)
            }
        };
        let (sealer, succession, settings) =
            (self.totp_sealer.clone(), self.succession.clone(), self.settings.clone());
        let party = self.relying_party.clone();
        let (opened, refresh_in) = self
            .database
            .write(move |db| {
                let challenge =
                    mfa::attempt_challenge(db, &hash, ATTEMPTS, now)?.ok_or(ChallengeError::Over)?;
                let user = challenge.user_id;
                let refresh_in = RefreshIn::parse(&challenge.refresh_in);
                match proof {
                    Proof::Code(code) => {
                        let tries = Subject::Proof(user);
                        throttle::look_alone(db, std::slice::from_ref(&tries), now)??;
                        if !accept(db, &sealer, user, &code, now)? {
                            throttle::count(db, &[tries], now)?;
                            audit::record(db, Event::SignInFailed, Some(user), &client, now)?;
                            return Ok((Err(ChallengeError::WrongCode), refresh_in));
                        }
                        throttle::forgive(db, &tries)?;
                    }
                    // Not counted: a key of 256 bits is not guessed.
                    Proof::Passkey(ceremony, _) if ceremony.user_id != Some(user) => {
                        return Ok((Err(Refusal::Unknown.into()), refresh_in));
                    }
                    Proof::Passkey(ceremony, answer) => {
                        if let Err(refusal) = passkey::recognise(db, &party, &ceremony, &answer, now)? {
                            audit::record_refused_passkey(db, &refusal, &client, now)?;
                            return Ok((Err(refusal.into()), refresh_in));
                        }
                    }
                }
                mfa::delete_challenge(db, &hash)?;
                let credential = session::may_have_tokens(db, user, now)?;
                audit::record(db, Event::SignedIn, Some(user), &client, now)?;
                let (session, token) = session::open(db, &succession, user, &client, now, &settings)?;
                let user = credential.user().map_err(SignInError::from)?;
                Ok::<_, ChallengeError>((Ok(Opened { session, token, user }), refresh_in))
            })
            .await?;
        let Opened { session, token, user } = opened?;
        let access = self.signer.mint(&user, session, now).await.map_err(SignInError::from)?;
        Ok((SignedIn { access, refresh: token, user }, refresh_in))
    }
}
