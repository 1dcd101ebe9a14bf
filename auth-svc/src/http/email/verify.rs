//! `POST /auth/email/verify`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    secret::Secret,
    service::{
        Client,
        input::Body,
        refusals::{Always, MayBeGone, TakesBody},
    },
};
use serde::Deserialize;

use crate::Auth;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proof {
    /// What stands behind `#token=` in the mailed link.
    #[schema(value_type = String)]
    token: Secret<String>,
}

/// Verify your address with a mailed link
#[utoipa::path(
    tag = "email",
    request_body = Proof,
    responses((status = 204, description = "Verified"), MayBeGone, TakesBody, Always),
)]
#[post("/email/verify")]
pub(crate) async fn verify(
    auth: web::Data<Auth>,
    client: Client,
    Body(proof): Body<Proof>,
) -> Result<HttpResponse, Problem> {
    auth.verify_email(proof.token.into_inner(), client).await?;
    Ok(HttpResponse::NoContent().finish())
}
