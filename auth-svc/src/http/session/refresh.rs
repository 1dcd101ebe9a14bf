//! `POST /auth/refresh`

use actix_web::{HttpRequest, HttpResponse, ResponseError as _, post, web};
use irongate_shared::{
    problem::Problem,
    secret::Secret,
    service::{
        Client,
        input::OptionalBody,
        refusals::{Always, MayRefuse, SignedIn, TakesBody},
    },
};
use serde::Deserialize;

use super::{Tokens, handed_over};
use crate::{
    Auth,
    http::cookie,
    session::{RefreshError, RefreshToken},
    sign_in::RefreshIn,
};

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    /// As it was given; left out by browsers, whose cookie holds it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub refresh_token: Option<Secret<String>>,
}

/// Get the next access token
///
/// Takes the refresh token of the cookie or the body and replaces it. A token that comes again long after it was
/// replaced ends the session.
#[utoipa::path(
    tag = "session",
    request_body = Option<Refresh>,
    responses((status = 200, description = "The session goes on", body = Tokens), SignedIn, MayRefuse, TakesBody, Always),
)]
#[post("/refresh")]
pub(crate) async fn refresh(
    auth: web::Data<Auth>,
    client: Client,
    request: HttpRequest,
    OptionalBody(body): OptionalBody<Refresh>,
) -> Result<HttpResponse, Problem> {
    let sent = body.and_then(|body| body.refresh_token);
    let answer_in = if sent.is_some() { RefreshIn::Body } else { RefreshIn::Cookie };
    let token = match sent {
        Some(text) => RefreshToken::parse(text.expose()),
        None => cookie::token_of(&request)?,
    };
    let refreshed = match token {
        Some(token) => auth.refresh(token, client).await,
        None => Err(RefreshError::Missing),
    };
    match refreshed {
        Ok(signed_in) => Ok(handed_over(&auth, signed_in, answer_in)),
        Err(why) => {
            let problem = Problem::from(why);
            let mut answer = problem.error_response();
            // A cookie that is worth nothing is not kept; one that could not be looked at is.
            if problem.kind.status == 401 && answer_in == RefreshIn::Cookie {
                let _ = answer.add_cookie(&cookie::removal());
            }
            Ok(answer)
        }
    }
}
