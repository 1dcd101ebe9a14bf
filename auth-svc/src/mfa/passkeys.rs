//! A user's passkeys: the list, one more, one less.

use irongate_shared::{
    db::{DbError, Violation},
    id::UserId,
    problem::{Kind, Problem, kind},
    service::Client,
};
use webauthn_rs_proto::PublicKeyCredentialCreationOptions;

use super::manage::recovery_codes_if_none;
use crate::{
    Auth,
    audit::{self, Event},
    passkey::{self, Begun, CeremonyError, Purpose, Refusal, RegisterPublicKeyCredential},
    store::{
        credentials, mfa,
        passkeys::{self, PasskeyId, PasskeyRow},
    },
};

/// How many a user may have.
const MOST: usize = 20;

#[derive(Debug, thiserror::Error)]
pub(crate) enum PasskeyError {
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the passkey is registered already")]
    Known,
    #[error("the user has as many passkeys as one may")]
    TooMany,
    #[error("the user has no such passkey")]
    NoSuchPasskey,
    #[error("the user has no credential")]
    NoCredential,
    #[error("the copy of an account cannot be read")]
    Account(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for PasskeyError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

pub(crate) const CEREMONY_OVER: Kind = Kind::new("ceremony-over", 410, "This passkey request is over");

impl From<CeremonyError> for Problem {
    fn from(why: CeremonyError) -> Self {
        match why {
            CeremonyError::Over => {
                Self::new(CEREMONY_OVER).detail("It took too long, or was answered before. Try again.")
            }
            CeremonyError::Library(_) => Self::internal(why),
            CeremonyError::Database(why) => why.into(),
        }
    }
}

impl From<PasskeyError> for Problem {
    fn from(why: PasskeyError) -> Self {
        match why {
            PasskeyError::Ceremony(why) => why.into(),
            PasskeyError::Refused(_) => Self::new(kind::INVALID_INPUT)
                .field("credential", "This answer of the browser does not fit the request. Try again.")
                .because(why),
            PasskeyError::Known => Self::new(kind::CONFLICT).detail("This passkey is registered already."),
            PasskeyError::TooMany => Self::new(kind::CONFLICT)
                .detail(format!("You have {MOST} passkeys. Delete one that you do not use.")),
            PasskeyError::NoSuchPasskey => Self::new(kind::NOT_FOUND).detail("You have no such passkey."),
            // Erased while their token was still good.
            PasskeyError::NoCredential => Self::new(kind::UNAUTHENTICATED).detail("Sign in again."),
            PasskeyError::Account(why) => Self::internal(why),
            PasskeyError::Database(why) => why.into(),
        }
    }
}

impl Auth {
    pub(crate) async fn passkeys_of(&self, user: UserId) -> Result<Vec<PasskeyRow>, DbError> {
        self.database.read(move |db| passkeys::of(db, user)).await
    }

    /// Begins to make a passkey; nothing changes until [`Auth::finish_passkey`].
    pub(crate) async fn begin_passkey(
        &self,
        user: UserId,
    ) -> Result<Begun<PublicKeyCredentialCreationOptions>, PasskeyError> {
        let (now, party) = (self.clock.now(), self.relying_party.clone());
        self.database
            .write(move |db| {
                let account = credentials::of(db, user)?.ok_or(PasskeyError::NoCredential)?.user()?;
                let existing = passkeys::of(db, user)?;
                if existing.len() >= MOST {
                    return Err(PasskeyError::TooMany);
                }
                Ok(passkey::begin_registration(db, &party, &account, &existing, now)?)
            })
            .await
    }

    /// Keeps the passkey that an authenticator made. With the first second factor come recovery codes.
    pub(crate) async fn finish_passkey(
        &self,
        user: UserId,
        ceremony: String,
        name: String,
        answer: RegisterPublicKeyCredential,
        client: Client,
    ) -> Result<(PasskeyRow, Option<Vec<String>>), PasskeyError> {
        let (now, party) = (self.clock.now(), self.relying_party.clone());
        let ceremony =
            self.database.write(move |db| passkey::take(db, &ceremony, Purpose::Register, now)).await?;
        if ceremony.user_id != Some(user) {
            return Err(CeremonyError::Over.into());
        }
        let (credential_id, credential) = passkey::finish_registration(&party, &ceremony, &answer)?;
        let row = PasskeyRow {
            id: PasskeyId::at(now),
            user_id: user,
            credential_id,
            name,
            credential,
            created_at_ms: now,
            last_used_at_ms: None,
        };
        let stored = self
            .database
            .write(move |db| {
                if passkeys::of(db, user)?.len() >= MOST {
                    return Err(PasskeyError::TooMany);
                }
                passkeys::insert(db, &row)?;
                audit::record(db, Event::PasskeyAdded, Some(user), &client, now)?;
                Ok((row, recovery_codes_if_none(db, user)?))
            })
            .await;
        match stored {
            Err(PasskeyError::Database(why)) if matches!(why.violation(), Some(Violation::Unique(_))) => {
                Err(PasskeyError::Known)
            }
            stored => stored,
        }
    }

    pub(crate) async fn rename_passkey(
        &self,
        user: UserId,
        id: PasskeyId,
        name: String,
    ) -> Result<PasskeyRow, PasskeyError> {
        let renamed = self.database.write(move |db| passkeys::rename(db, user, id, &name)).await?;
        renamed.ok_or(PasskeyError::NoSuchPasskey)
    }

    /// Deletes a passkey. Recovery codes go with the last second factor.
    pub(crate) async fn end_passkey(
        &self,
        user: UserId,
        id: PasskeyId,
        client: Client,
    ) -> Result<(), PasskeyError> {
        let now = self.clock.now();
        self.database
            .write(move |db| {
                if !passkeys::delete(db, user, id)? {
                    return Err(PasskeyError::NoSuchPasskey);
                }
                audit::record(db, Event::PasskeyRemoved, Some(user), &client, now)?;
                Ok(mfa::delete_codes_if_last(db, user)?)
            })
            .await
    }
}
