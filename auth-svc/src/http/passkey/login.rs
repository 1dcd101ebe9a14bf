//! `POST /auth/passkeys/login/start` and `…/finish`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    service::{
        Client,
        input::{Body, OptionalBody},
        refusals::{Always, MayBeGone, MayRefuse, SignedIn, TakesBody},
    },
};
use serde::Deserialize;

use super::{Asked, asked};
use crate::{
    Auth,
    http::session::{Tokens, handed_over},
    passkey::PublicKeyCredential,
    sign_in::RefreshIn,
};

/// Nothing is to be said.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Ask for a passkey, whoever's it is
///
/// The browser's answer, made by a button or in the field of the username, goes to `…/finish`.
#[utoipa::path(
    tag = "passkeys",
    request_body = Option<Nothing>,
    responses((status = 200, description = "For the browser", body = Asked), TakesBody, Always),
)]
#[post("/passkeys/login/start")]
pub(crate) async fn start(
    auth: web::Data<Auth>,
    client: Client,
    _: OptionalBody<Nothing>,
) -> Result<HttpResponse, Problem> {
    Ok(asked(auth.begin_passkey_sign_in(&client).await?))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyLogin {
    /// Of the answer that asked for it.
    ceremony: String,
    /// `PublicKeyCredential.toJSON()`.
    #[schema(value_type = Object)]
    credential: PublicKeyCredential,
    #[serde(default)]
    refresh: RefreshIn,
}

/// Sign in with a passkey
///
/// Its authenticator has verified the user, so nothing further is asked for.
#[utoipa::path(
    tag = "passkeys",
    request_body = PasskeyLogin,
    responses((status = 200, description = "Signed in", body = Tokens), SignedIn, MayRefuse, MayBeGone, TakesBody, Always),
)]
#[post("/passkeys/login/finish")]
pub(crate) async fn finish(
    auth: web::Data<Auth>,
    client: Client,
    Body(login): Body<PasskeyLogin>,
) -> Result<HttpResponse, Problem> {
    let signed_in = auth.sign_in_by_passkey(login.ceremony, login.credential, client).await?;
    Ok(handed_over(&auth, signed_in, login.refresh))
}
