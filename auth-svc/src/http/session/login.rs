//! `POST /auth/login`

use actix_web::{HttpResponse, http::header, post, web};
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

use super::{LoginAnswer, SecondFactorAsked, handed_over};
use crate::{
    Auth,
    sign_in::{Admitted, RefreshIn},
};

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
    responses((status = 200, description = "Signed in, or asked for the second factor", body = LoginAnswer), SignedIn, MayRefuse, TakesBody, Always),
)]
#[post("/login")]
pub(crate) async fn login(
    auth: web::Data<Auth>,
    client: Client,
    Body(login): Body<Login>,
) -> Result<HttpResponse, Problem> {
    let password = login.password.into_inner();
    match auth.sign_in(&login.username, password, login.refresh, client).await? {
        Admitted::SignedIn(signed_in) => Ok(handed_over(&auth, *signed_in, login.refresh)),
        Admitted::Challenged(challenge) => {
            let asked = SecondFactorAsked {
                mfa_required: true,
                mfa_token: challenge.mfa_token,
                methods: challenge.methods,
            };
            Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(asked))
        }
    }
}
