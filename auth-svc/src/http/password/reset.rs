//! `POST /auth/password/reset`

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
pub(crate) struct Reset {
    /// What stands behind `#token=` in the mailed link.
    #[schema(value_type = String)]
    token: Secret<String>,
    /// 8 characters to 71 bytes.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 71)]
    new_password: Secret<String>,
}

/// Choose a new password with a mailed link
///
/// All your sessions end.
#[utoipa::path(
    tag = "password",
    request_body = Reset,
    responses((status = 204, description = "Changed"), MayBeGone, TakesBody, Always),
)]
#[post("/password/reset")]
pub(crate) async fn reset(
    auth: web::Data<Auth>,
    client: Client,
    Body(reset): Body<Reset>,
) -> Result<HttpResponse, Problem> {
    auth.reset_password(reset.token.expose(), reset.new_password.expose(), client).await?;
    Ok(HttpResponse::NoContent().finish())
}
