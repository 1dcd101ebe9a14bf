//! `POST /auth/login`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    secret::Secret,
    service::{
        Client,
        input::Body,
        refusals::{Always, MayRefuse, SignedIn, TakesBody},
    },
};
use serde::Deserialize;

use super::{RefreshIn, Tokens, handed_over};
use crate::Auth;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// A username or an e-mail address.
    #[schema(example = "ann")]
    username: String,
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    password: Secret<String>,
    #[serde(default)]
    refresh: RefreshIn,
}

/// Sign in
///
/// Opens a session. The answer does not tell whether an account exists.
#[utoipa::path(
    tag = "session",
    request_body = Login,
    responses((status = 200, description = "Signed in", body = Tokens), SignedIn, MayRefuse, TakesBody, Always),
)]
#[post("/login")]
pub(crate) async fn login(
    auth: web::Data<Auth>,
    client: Client,
    Body(login): Body<Login>,
) -> Result<HttpResponse, Problem> {
    let signed_in = auth.sign_in(&login.username, login.password.into_inner(), client).await?;
    Ok(handed_over(&auth, signed_in, login.refresh))
}
