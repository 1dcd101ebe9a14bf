//! A challenge, and the one answer to it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use irongate_shared::{
    account::User,
    clock::Timestamp,
    db::{Db, DbError},
    id::UserId,
    secret::random_key,
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use webauthn_rs::prelude::{DiscoverableAuthentication, Passkey, PasskeyRegistration, WebauthnError};
use webauthn_rs_proto::{
    AllowCredentials, PublicKeyCredential, PublicKeyCredentialCreationOptions,
    PublicKeyCredentialRequestOptions, RegisterPublicKeyCredential, ResidentKeyRequirement,
};

use super::RelyingParty;
use crate::store::passkeys::{self, CeremonyRow, PasskeyRow};

/// How long an authenticator's answer is waited for.
pub(super) const LIFETIME: Duration = Duration::from_secs(300);

/// What a ceremony is for: one that was begun for one purpose serves no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Register,
    SignIn,
    SecondFactor,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::SignIn => "sign_in",
            Self::SecondFactor => "second_factor",
        }
    }
}

/// A ceremony that waits for its answer.
#[derive(Debug)]
pub(crate) struct Begun<Options> {
    /// Names it; whoever answers sends it back.
    pub ceremony: String,
    /// For the browser.
    pub public_key: Options,
}

/// Why a ceremony could not be begun or taken up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CeremonyError {
    /// Never begun, too old, or answered before.
    #[error("the ceremony is over")]
    Over,
    #[error("a ceremony could not be made or read: {0}")]
    Library(String),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<WebauthnError> for CeremonyError {
    fn from(why: WebauthnError) -> Self {
        Self::Library(why.to_string())
    }
}

impl From<diesel::result::Error> for CeremonyError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<serde_json::Error> for CeremonyError {
    fn from(why: serde_json::Error) -> Self {
        Self::Library(why.to_string())
    }
}

/// Why an answer was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("nobody's passkey, or another user's")]
    Unknown,
    /// The counter went back: somebody has a copy of the key.
    #[error("the passkey of {0} was copied")]
    Copied(UserId),
    #[error("the answer is wrong: {0}")]
    Wrong(String),
}

impl From<WebauthnError> for Refusal {
    fn from(why: WebauthnError) -> Self {
        Self::Wrong(why.to_string())
    }
}

/// Begins to make a passkey for a user who has `existing` ones.
pub(crate) fn begin_registration(
    db: &mut Db,
    party: &RelyingParty,
    user: &User,
    existing: &[PasskeyRow],
    now: Timestamp,
) -> Result<Begun<PublicKeyCredentialCreationOptions>, CeremonyError> {
    let exclude = existing.iter().map(|row| row.credential_id.clone()).collect();
    let (asked, state) = party.webauthn().start_passkey_registration(
        user.id.as_uuid(),
        &user.username,
        &user.display_name,
        Some(exclude),
    )?;
    let mut options = asked.public_key;
    // The library discourages what signing in without a name takes.
    if let Some(selection) = &mut options.authenticator_selection {
        selection.resident_key = Some(ResidentKeyRequirement::Preferred);
    }
    let ceremony = store(db, Purpose::Register, Some(user.id), &state, now)?;
    Ok(Begun { ceremony, public_key: options })
}

/// Begins to ask for a passkey: one of `of`, or of anybody who has one here.
pub(crate) fn begin_sign_in(
    db: &mut Db,
    party: &RelyingParty,
    of: Option<(UserId, &[PasskeyRow])>,
    now: Timestamp,
) -> Result<Begun<PublicKeyCredentialRequestOptions>, CeremonyError> {
    let (asked, state) = party.webauthn().start_discoverable_authentication()?;
    let mut options = asked.public_key;
    let purpose = match of {
        None => Purpose::SignIn,
        Some((_, rows)) => {
            options.allow_credentials = rows.iter().map(allowed).collect();
            Purpose::SecondFactor
        }
    };
    let ceremony = store(db, purpose, of.map(|(user, _)| user), &state, now)?;
    Ok(Begun { ceremony, public_key: options })
}

fn allowed(row: &PasskeyRow) -> AllowCredentials {
    AllowCredentials { type_: "public-key".to_owned(), id: row.credential_id.clone(), transports: None }
}

fn store(
    db: &mut Db,
    purpose: Purpose,
    user: Option<UserId>,
    state: &impl Serialize,
    now: Timestamp,
) -> Result<String, CeremonyError> {
    let id = random_key();
    passkeys::insert_ceremony(
        db,
        &CeremonyRow {
            hash: Sha256::digest(id).to_vec(),
            purpose: purpose.as_str().to_owned(),
            user_id: user,
            state: serde_json::to_string(state)?,
            expires_at_ms: now + LIFETIME,
        },
    )?;
    Ok(URL_SAFE_NO_PAD.encode(id))
}

/// Takes a ceremony up, which ends it: in a transaction of its own, so that a wrong answer uses it up as well.
pub(crate) fn take(
    db: &mut Db,
    ceremony: &str,
    purpose: Purpose,
    now: Timestamp,
) -> Result<CeremonyRow, CeremonyError> {
    let id = URL_SAFE_NO_PAD.decode(ceremony).map_err(|_| CeremonyError::Over)?;
    // SECURITY: replay: the library accepts the same answer to the same challenge as often as it is shown.
    passkeys::take_ceremony(db, &Sha256::digest(id), purpose.as_str(), now)?.ok_or(CeremonyError::Over)
}

fn state_of<S: DeserializeOwned>(ceremony: &CeremonyRow) -> Result<S, Refusal> {
    serde_json::from_str(&ceremony.state).map_err(|why| Refusal::Wrong(why.to_string()))
}

/// The new passkey's id at its authenticator, and what to keep of it.
pub(crate) fn finish_registration(
    party: &RelyingParty,
    ceremony: &CeremonyRow,
    answer: &RegisterPublicKeyCredential,
) -> Result<(Vec<u8>, String), Refusal> {
    let state: PasskeyRegistration = state_of(ceremony)?;
    let passkey = party.webauthn().finish_passkey_registration(answer, &state)?;
    let kept = serde_json::to_string(&passkey).map_err(|why| Refusal::Wrong(why.to_string()))?;
    Ok((passkey.cred_id().to_vec(), kept))
}

/// Whose passkey answered; its counter is moved on. In one transaction with what that opens.
pub(crate) fn recognise(
    db: &mut Db,
    party: &RelyingParty,
    ceremony: &CeremonyRow,
    answer: &PublicKeyCredential,
    now: Timestamp,
) -> Result<Result<UserId, Refusal>, DbError> {
    let Some(row) = passkeys::hold(db, &answer.raw_id)? else { return Ok(Err(Refusal::Unknown)) };
    match check(party, ceremony, answer, &row) {
        Ok(kept) => {
            passkeys::used(db, row.id, &kept, now)?;
            Ok(Ok(row.user_id))
        }
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// The passkey as it is to be kept after a right answer.
fn check(
    party: &RelyingParty,
    ceremony: &CeremonyRow,
    answer: &PublicKeyCredential,
    row: &PasskeyRow,
) -> Result<String, Refusal> {
    let named = answer.response.user_handle.as_deref().map(Uuid::from_slice);
    let owner = row.user_id.as_uuid();
    let is_whose = match (ceremony.user_id, named) {
        // Some security keys name nobody where one passkey was asked for.
        (Some(asked), None) => asked == row.user_id,
        (Some(asked), Some(named)) => asked == row.user_id && named == Ok(owner),
        (None, named) => named == Some(Ok(owner)),
    };
    if !is_whose {
        return Err(Refusal::Unknown);
    }
    let state: DiscoverableAuthentication = state_of(ceremony)?;
    let mut passkey: Passkey =
        serde_json::from_str(&row.credential).map_err(|why| Refusal::Wrong(why.to_string()))?;
    let right = match party.webauthn().finish_discoverable_authentication_v2(answer, state, &passkey) {
        Err(WebauthnError::CredentialPossibleCompromise) => return Err(Refusal::Copied(row.user_id)),
        checked => checked?,
    };
    passkey.update_credential(&right);
    serde_json::to_string(&passkey).map_err(|why| Refusal::Wrong(why.to_string()))
}
