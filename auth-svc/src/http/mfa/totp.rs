//! `POST /auth/mfa/totp`, `POST /auth/mfa/totp/confirm`, `DELETE /auth/mfa/totp`

use actix_web::{HttpResponse, delete, http::header, post, web};
use irongate_shared::{
    problem::Problem,
    service::{
        Client,
        input::Body,
        refusals::{Always, MayConflict, MayRefuse, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::{Deserialize, Serialize};

use crate::Auth;

/// What an authenticator app needs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TotpSetup {
    /// To type.
    #[schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")]
    secret: String,
    /// To show as a QR code.
    #[schema(
        example = "otpauth://totp/Irongate:ann?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Irongate"
    )]
    otpauth_url: String,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    /// Of the app, or a recovery code.
    #[schema(example = "287082")]
    code: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Each good once, shown never again.
    #[schema(example = json!(["ABCD-EFGH-JKLM-NPQR"]))]
    pub(super) recovery_codes: Vec<String>,
}

/// Begin to set up an authenticator app
///
/// Asks for a recent sign-in. Nothing changes until a code of the app is shown.
#[utoipa::path(
    tag = "second factor",
    security(("bearer" = [])),
    responses((status = 200, description = "For the app", body = TotpSetup), SignedIn, MayRefuse, MayConflict, Always),
)]
#[post("/mfa/totp")]
pub(crate) async fn begin(auth: web::Data<Auth>, identity: Identity) -> Result<HttpResponse, Problem> {
    identity.signed_in_recently(auth.clock.now())?;
    let setup = auth.begin_totp(identity.user, &identity.username).await?;
    let setup = TotpSetup { secret: setup.secret, otpauth_url: setup.otpauth_url };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(setup))
}

/// Switch two-step sign-in on
#[utoipa::path(
    tag = "second factor",
    security(("bearer" = [])),
    request_body = Code,
    responses((status = 200, description = "It is on", body = RecoveryCodes), SignedIn, MayConflict, TakesBody, Always),
)]
#[post("/mfa/totp/confirm")]
pub(crate) async fn confirm(
    auth: web::Data<Auth>,
    identity: Identity,
    client: Client,
    Body(shown): Body<Code>,
) -> Result<HttpResponse, Problem> {
    let recovery_codes = auth.confirm_totp(identity.user, shown.code, client).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(RecoveryCodes { recovery_codes }))
}

/// Switch two-step sign-in off
#[utoipa::path(
    tag = "second factor",
    security(("bearer" = [])),
    request_body = Code,
    responses((status = 204, description = "It is off"), SignedIn, MayConflict, TakesBody, Always),
)]
#[delete("/mfa/totp")]
pub(crate) async fn end(
    auth: web::Data<Auth>,
    identity: Identity,
    client: Client,
    Body(shown): Body<Code>,
) -> Result<HttpResponse, Problem> {
    auth.end_totp(identity.user, shown.code, client).await?;
    Ok(HttpResponse::NoContent().finish())
}
