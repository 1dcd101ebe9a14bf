//! `GET /auth/mfa`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, SignedIn},
    token::Identity,
};
use serde::Serialize;

use crate::Auth;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SecondFactors {
    /// Whether codes of an app are asked for at sign-in.
    totp: bool,
    /// How many passkeys are asked for instead.
    #[schema(example = 1)]
    passkeys: i64,
    #[schema(example = 10)]
    recovery_codes_left: i64,
}

/// Your second factors
#[utoipa::path(
    tag = "second factor",
    security(("bearer" = [])),
    responses((status = 200, description = "What is on", body = SecondFactors), SignedIn, Always),
)]
#[get("/mfa")]
pub(crate) async fn show(auth: web::Data<Auth>, identity: Identity) -> Result<HttpResponse, Problem> {
    let factors = auth.second_factors_of(identity.user).await?;
    Ok(HttpResponse::Ok().json(SecondFactors {
        totp: factors.totp,
        passkeys: factors.passkeys,
        recovery_codes_left: factors.recovery_codes_left,
    }))
}
