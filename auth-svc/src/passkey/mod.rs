//! Passkeys (WebAuthn level 3): a key pair that never leaves its authenticator, bound to our domain by the browser.
//!
//! ```text
//! start:  begin_… ──▶ a ceremony is stored, its challenge goes to the browser
//! finish: take ─────▶ the ceremony is gone, whatever comes of it ──▶ finish_registration, or recognise
//! ```
//!
//! The user is verified by the authenticator (a finger, a PIN) in every ceremony, so a passkey is two factors at once:
//! it signs in alone (`sign_in/passkey.rs`), and a user who has one is asked for it after the password, too
//! (`mfa/challenge.rs`). Managing them is `mfa/passkeys.rs`.

mod ceremony;
mod relying_party;

pub(crate) use ceremony::{
    Begun, CeremonyError, Purpose, Refusal, begin_registration, begin_sign_in, finish_registration,
    recognise, take,
};
pub(crate) use relying_party::RelyingParty;
pub(crate) use webauthn_rs_proto::{PublicKeyCredential, RegisterPublicKeyCredential};
