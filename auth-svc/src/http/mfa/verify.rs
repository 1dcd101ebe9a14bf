//! `POST /auth/mfa/verify`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::{Problem, kind},
    secret::Secret,
    service::{
        Client,
        input::Body,
        refusals::{Always, MayBeGone, MayRefuse, SignedIn, TakesBody},
    },
};
use serde::Deserialize;

use crate::{
    Auth,
    http::session::{Tokens, handed_over},
    mfa::Shown,
    passkey::PublicKeyCredential,
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondFactor {
    /// Of the answer to the password.
    #[schema(value_type = String)]
    mfa_token: Secret<String>,
    /// Of the app, or a recovery code.
    #[schema(example = "287082")]
    code: Option<String>,
    /// In place of a code.
    passkey: Option<PasskeyShown>,
}

/// What the browser made of `POST /auth/mfa/passkey/start`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyShown {
    /// Of the answer that asked for it.
    ceremony: String,
    /// `PublicKeyCredential.toJSON()`.
    #[schema(value_type = Object)]
    credential: PublicKeyCredential,
}

impl SecondFactor {
    fn shown(code: Option<String>, passkey: Option<PasskeyShown>) -> Result<Shown, Problem> {
        match (code, passkey) {
            (Some(code), None) => Ok(Shown::Code(code)),
            (None, Some(PasskeyShown { ceremony, credential })) => {
                Ok(Shown::Passkey { ceremony, answer: Box::new(credential) })
            }
            (Some(_), Some(_)) | (None, None) => {
                Err(Problem::new(kind::INVALID_INPUT).detail("Send either `code` or `passkey`."))
            }
        }
    }
}

/// Finish signing in with the second factor
///
/// With a code of the app, a recovery code, or a passkey.
#[utoipa::path(
    tag = "second factor",
    request_body = SecondFactor,
    responses((status = 200, description = "Signed in", body = Tokens), SignedIn, MayRefuse, MayBeGone, TakesBody, Always),
)]
#[post("/mfa/verify")]
pub(crate) async fn verify(
    auth: web::Data<Auth>,
    client: Client,
    Body(shown): Body<SecondFactor>,
) -> Result<HttpResponse, Problem> {
    let proof = SecondFactor::shown(shown.code, shown.passkey)?;
    let (signed_in, refresh_in) = auth.prove_second_factor(shown.mfa_token.expose(), proof, client).await?;
    Ok(handed_over(&auth, signed_in, refresh_in))
}
