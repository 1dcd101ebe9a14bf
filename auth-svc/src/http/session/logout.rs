//! `POST /auth/logout`

use actix_web::{HttpRequest, HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    service::{
        Client,
        input::OptionalBody,
        refusals::{Always, MayRefuse, TakesBody},
    },
    token::Identity,
};

use super::refresh::Refresh;
use crate::{Auth, http::cookie, session::RefreshToken};

/// Sign out
///
/// Ends the session of the access token, and that of the refresh token in cookie or body. Once this has answered, no
/// service accepts them. Without a valid token there is nothing to end, and the answer is the same.
#[utoipa::path(
    tag = "session",
    security((), ("bearer" = [])),
    request_body = Option<Refresh>,
    responses((status = 204, description = "Signed out"), MayRefuse, TakesBody, Always),
)]
#[post("/logout")]
pub(crate) async fn logout(
    auth: web::Data<Auth>,
    client: Client,
    identity: Result<Identity, Problem>,
    request: HttpRequest,
    OptionalBody(body): OptionalBody<Refresh>,
) -> Result<HttpResponse, Problem> {
    let session = match identity {
        Ok(identity) => Some(identity.session),
        Err(problem) if problem.kind.status >= 500 => return Err(problem),
        Err(_) => None,
    };
    let refresh = match body.and_then(|body| body.refresh_token) {
        Some(text) => RefreshToken::parse(text.expose()),
        None => cookie::token_of(&request)?,
    };
    auth.sign_out(session, refresh, client).await?;
    Ok(HttpResponse::NoContent().cookie(cookie::removal()).finish())
}
