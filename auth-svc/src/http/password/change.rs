//! `POST /auth/password/change`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    secret::Secret,
    service::{
        Client,
        input::Body,
        refusals::{Always, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use crate::Auth;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[schema(value_type = String, format = Password)]
    current_password: Secret<String>,
    /// 8 characters to 71 bytes.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 71)]
    new_password: Secret<String>,
}

/// Change your password
///
/// All your other sessions end.
#[utoipa::path(
    tag = "password",
    security(("bearer" = [])),
    request_body = PasswordChange,
    responses((status = 204, description = "Changed"), SignedIn, TakesBody, Always),
)]
#[post("/password/change")]
pub(crate) async fn change(
    auth: web::Data<Auth>,
    identity: Identity,
    client: Client,
    Body(change): Body<PasswordChange>,
) -> Result<HttpResponse, Problem> {
    let current = change.current_password.into_inner();
    auth.change_password(&identity, current, change.new_password.expose(), client).await?;
    Ok(HttpResponse::NoContent().finish())
}
