//! `POST /auth/email/send`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, SignedIn},
    token::Identity,
};

use crate::Auth;

/// Mail a link that verifies your address
#[utoipa::path(
    tag = "email",
    security(("bearer" = [])),
    responses((status = 202, description = "A mail is on its way, unless the address is verified"), SignedIn, Always),
)]
#[post("/email/send")]
pub(crate) async fn send(auth: web::Data<Auth>, identity: Identity) -> Result<HttpResponse, Problem> {
    auth.mail_verification(identity.user).await?;
    Ok(HttpResponse::Accepted().finish())
}
