//! Signing in, staying signed in, signing out.

pub(crate) mod end;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logout_all;
pub(crate) mod refresh;

use actix_web::{HttpResponse, http::header};
use irongate_shared::account::User;
use serde::Serialize;

use super::cookie;
use crate::{
    Auth,
    mfa::Method,
    sign_in::{RefreshIn, SignedIn},
};

/// A session's tokens.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Tokens {
    /// For `Authorization: Bearer …`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 600)]
    expires_in: u64,
    /// For `POST /auth/refresh`, once. Only when asked for in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    user: User,
}

/// What signing in comes to.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "tells the OpenAPI document which two answers there are")]
pub(crate) enum LoginAnswer {
    SignedIn(Box<Tokens>),
    SecondFactor(SecondFactorAsked),
}

/// The password was right; send a code or a passkey to `POST /auth/mfa/verify`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SecondFactorAsked {
    #[schema(example = true)]
    mfa_required: bool,
    /// Good for five minutes.
    mfa_token: String,
    #[schema(example = json!(["passkey", "totp", "recovery"]))]
    methods: Vec<Method>,
}

/// The answer that hands a session to its owner.
pub(crate) fn handed_over(auth: &Auth, signed_in: SignedIn, refresh: RefreshIn) -> HttpResponse {
    let SignedIn { access, refresh: token, user } = signed_in;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    if refresh == RefreshIn::Cookie {
        answer.cookie(cookie::holding(&token, auth.settings.refresh_lifetime.get()));
    }
    answer.json(Tokens {
        access_token: access.access_token,
        token_type: "Bearer",
        expires_in: access.expires_in.as_secs(),
        refresh_token: (refresh == RefreshIn::Body).then(|| token.text()),
        user,
    })
}
