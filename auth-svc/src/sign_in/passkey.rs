//! Signing in by a passkey alone: it says who, and its authenticator has verified that it is them.

use irongate_shared::{
    db::DbError,
    problem::{Kind, Problem},
    service::Client,
};
use webauthn_rs_proto::PublicKeyCredentialRequestOptions;

use super::{SignInError, SignedIn};
use crate::{
    Auth,
    audit::{self, Event},
    passkey::{self, Begun, CeremonyError, PublicKeyCredential, Purpose, Refusal},
    session,
    throttle::{self, Subject, TooMany},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PasskeySignInError {
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl From<DbError> for PasskeySignInError {
    fn from(why: DbError) -> Self {
        SignInError::from(why).into()
    }
}

impl From<diesel::result::Error> for PasskeySignInError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

pub(crate) const WRONG_PASSKEY: Kind = Kind::new("wrong-passkey", 401, "This passkey does not sign in here");

impl From<PasskeySignInError> for Problem {
    fn from(why: PasskeySignInError) -> Self {
        match why {
            PasskeySignInError::Ceremony(why) => why.into(),
            // A deleted account answers as one that never was.
            PasskeySignInError::Refused(_) | PasskeySignInError::SignIn(SignInError::WrongPassword) => {
                Self::new(WRONG_PASSKEY).detail("Use another one, or sign in with your password.")
            }
            PasskeySignInError::TooMany(why) => why.into(),
            PasskeySignInError::SignIn(why) => why.into(),
        }
    }
}

impl Auth {
    /// A challenge for whoever comes. Counted by address: each is a row that waits.
    pub(crate) async fn begin_passkey_sign_in(
        &self,
        client: &Client,
    ) -> Result<Begun<PublicKeyCredentialRequestOptions>, PasskeySignInError> {
        let (now, party) = (self.clock.now(), self.relying_party.clone());
        let asking = [Subject::Ceremonies(client.ip)];
        self.database
            .write(move |db| {
                throttle::look_alone(db, &asking, now)??;
                throttle::count(db, &asking, now)?;
                Ok(passkey::begin_sign_in(db, &party, None, now)?)
            })
            .await
    }

    /// Signs in whoever's passkey answered.
    pub(crate) async fn sign_in_by_passkey(
        &self,
        ceremony: String,
        answer: PublicKeyCredential,
        client: Client,
    ) -> Result<SignedIn, PasskeySignInError> {
        let now = self.clock.now();
        let here = Subject::Address(client.ip);
        let looked = here.clone();
        let ceremony = self
            .database
            .write(move |db| {
                throttle::look(db, std::slice::from_ref(&looked), now)??;
                Ok::<_, PasskeySignInError>(passkey::take(db, &ceremony, Purpose::SignIn, now)?)
            })
            .await?;
        let (party, succession, settings) =
            (self.relying_party.clone(), self.succession.clone(), self.settings.clone());
        let opened = self
            .database
            .write(move |db| {
                let user = match passkey::recognise(db, &party, &ceremony, &answer, now)? {
                    Ok(user) => user,
                    Err(refusal) => {
                        throttle::count(db, &[here], now)?;
                        audit::record_refused_passkey(db, &refusal, &client, now)?;
                        return Ok(Err(refusal));
                    }
                };
                let credential = session::may_have_tokens(db, user, now)?;
                audit::record(db, Event::SignedIn, Some(user), &client, now)?;
                let (session, token) = session::open(db, &succession, user, &client, now, &settings)?;
                let user = credential.user().map_err(SignInError::from)?;
                Ok::<_, PasskeySignInError>(Ok((session, token, user)))
            })
            .await?;
        let (session, refresh, user) = opened?;
        let access = self.signer.mint(&user, session, now).await.map_err(SignInError::from)?;
        Ok(SignedIn { access, refresh, user })
    }
}
