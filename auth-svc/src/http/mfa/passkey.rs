//! `POST /auth/mfa/passkey/start`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    secret::Secret,
    service::{
        Client,
        input::Body,
        refusals::{Always, MayConflict, SignedIn, TakesBody},
    },
};
use serde::Deserialize;

use crate::{
    Auth,
    http::passkey::{Asked, asked},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitingSignIn {
    /// Of the answer to the password.
    #[schema(value_type = String)]
    mfa_token: Secret<String>,
}

/// Ask for a passkey as the second factor
///
/// Its answer goes to `POST /auth/mfa/verify`.
#[utoipa::path(
    tag = "second factor",
    request_body = WaitingSignIn,
    responses((status = 200, description = "For the browser", body = Asked), SignedIn, MayConflict, TakesBody, Always),
)]
#[post("/mfa/passkey/start")]
pub(crate) async fn start(
    auth: web::Data<Auth>,
    client: Client,
    Body(waiting): Body<WaitingSignIn>,
) -> Result<HttpResponse, Problem> {
    Ok(asked(auth.begin_passkey_challenge(waiting.mfa_token.expose(), &client).await?))
}
