//! `POST /auth/passkeys/register/start` and `…/finish`

use actix_web::{HttpResponse, http::header, post, web};
use irongate_shared::{
    problem::Problem,
    service::{
        Client,
        input::Body,
        refusals::{Always, MayBeGone, MayConflict, MayRefuse, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::{Deserialize, Serialize};

use super::{Asked, Passkey, asked, name_of};
use crate::{Auth, passkey::RegisterPublicKeyCredential};

/// Begin to make a passkey
///
/// Asks for a recent sign-in. Nothing changes until the browser's answer is sent to `…/finish`.
#[utoipa::path(
    tag = "passkeys",
    security(("bearer" = [])),
    responses((status = 200, description = "For the browser", body = Asked), SignedIn, MayRefuse, MayConflict, Always),
)]
#[post("/passkeys/register/start")]
pub(crate) async fn start(auth: web::Data<Auth>, identity: Identity) -> Result<HttpResponse, Problem> {
    identity.signed_in_recently(auth.clock.now())?;
    Ok(asked(auth.begin_passkey(identity.user).await?))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPasskey {
    /// Of the answer that began it.
    ceremony: String,
    #[schema(example = "My phone", min_length = 1, max_length = 64)]
    name: String,
    /// `PublicKeyCredential.toJSON()`.
    #[schema(value_type = Object)]
    credential: RegisterPublicKeyCredential,
}

/// A passkey that was just made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct RegisteredPasskey {
    #[serde(flatten)]
    passkey: Passkey,
    /// For who had none left: each good once, shown never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["ABCD-EFGH-JKLM-NPQR"]))]
    recovery_codes: Option<Vec<String>>,
}

/// Keep a passkey
///
/// From here on it signs in alone, and a password asks for it or another second factor.
#[utoipa::path(
    tag = "passkeys",
    security(("bearer" = [])),
    request_body = NewPasskey,
    responses((status = 201, description = "Registered", body = RegisteredPasskey), SignedIn, MayConflict, MayBeGone, TakesBody, Always),
)]
#[post("/passkeys/register/finish")]
pub(crate) async fn finish(
    auth: web::Data<Auth>,
    identity: Identity,
    client: Client,
    Body(new): Body<NewPasskey>,
) -> Result<HttpResponse, Problem> {
    let name = name_of(&new.name)?;
    let (row, recovery_codes) =
        auth.finish_passkey(identity.user, new.ceremony, name, new.credential, client).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(RegisteredPasskey { passkey: row.into(), recovery_codes }))
}
