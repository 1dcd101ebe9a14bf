//! `POST /auth/mfa/verify`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    secret::Secret,
    service::{
        Client,
        input::Body,
        refusals::{Always, MayRefuse, SignedIn, TakesBody},
    },
};
use serde::Deserialize;

use crate::{
    Auth,
    http::session::{Tokens, handed_over},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondFactor {
    /// Of the answer to the password.
    #[schema(value_type = String)]
    mfa_token: Secret<String>,
    /// Of the app, or a recovery code.
    #[schema(example = "287082")]
    code: String,
}

/// Finish signing in with the second factor
#[utoipa::path(
    tag = "second factor",
    request_body = SecondFactor,
    responses((status = 200, description = "Signed in", body = Tokens), SignedIn, MayRefuse, TakesBody, Always),
)]
#[post("/mfa/verify")]
pub(crate) async fn verify(
    auth: web::Data<Auth>,
    client: Client,
    Body(shown): Body<SecondFactor>,
) -> Result<HttpResponse, Problem> {
    let (signed_in, refresh_in) =
        auth.prove_second_factor(shown.mfa_token.expose(), shown.code, client).await?;
    Ok(handed_over(&auth, signed_in, refresh_in))
}
