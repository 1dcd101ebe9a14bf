//! `POST /auth/mfa/recovery-codes`

use actix_web::{HttpResponse, http::header, post, web};
use irongate_shared::{
    problem::Problem,
    service::{
        Client,
        refusals::{Always, MayConflict, MayRefuse, SignedIn},
    },
    token::Identity,
};

use super::totp::RecoveryCodes;
use crate::Auth;

/// New recovery codes
///
/// In place of those that are left. Asks for a recent sign-in.
#[utoipa::path(
    tag = "second factor",
    security(("bearer" = [])),
    responses((status = 200, description = "Your new codes", body = RecoveryCodes), SignedIn, MayRefuse, MayConflict, Always),
)]
#[post("/mfa/recovery-codes")]
pub(crate) async fn renew(
    auth: web::Data<Auth>,
    identity: Identity,
    client: Client,
) -> Result<HttpResponse, Problem> {
    identity.signed_in_recently(auth.clock.now())?;
    let recovery_codes = auth.renew_recovery_codes(identity.user, client).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(RecoveryCodes { recovery_codes }))
}
