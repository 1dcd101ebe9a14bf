//! `POST /auth/logout-all`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    service::{
        Client,
        input::OptionalBody,
        refusals::{Always, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use crate::{Auth, http::cookie};

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogoutAll {
    /// Stay signed in here.
    #[serde(default)]
    keep_current: bool,
}

/// Sign out everywhere
///
/// Ends all your sessions. Once this has answered, no service accepts their tokens.
#[utoipa::path(
    tag = "session",
    security(("bearer" = [])),
    request_body = Option<LogoutAll>,
    responses((status = 204, description = "Signed out"), SignedIn, TakesBody, Always),
)]
#[post("/logout-all")]
pub(crate) async fn logout_all(
    auth: web::Data<Auth>,
    identity: Identity,
    client: Client,
    OptionalBody(body): OptionalBody<LogoutAll>,
) -> Result<HttpResponse, Problem> {
    let keep = body.unwrap_or_default().keep_current;
    auth.sign_out_everywhere(identity.user, keep.then_some(identity.session), client).await?;
    let mut answer = HttpResponse::NoContent();
    if !keep {
        answer.cookie(cookie::removal());
    }
    Ok(answer.finish())
}
