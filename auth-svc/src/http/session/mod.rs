//! Signing in, staying signed in, signing out.

pub(crate) mod end;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logout_all;
pub(crate) mod refresh;

use actix_web::{HttpResponse, http::header};
use irongate_shared::account::User;
use serde::{Deserialize, Serialize};

use super::cookie;
use crate::{Auth, sign_in::SignedIn};

/// Where the refresh token goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RefreshIn {
    /// For browsers: into a cookie that scripts cannot read.
    #[default]
    Cookie,
    /// For everybody else: into the answer.
    Body,
}

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

/// The answer that hands a session to its owner.
fn handed_over(auth: &Auth, signed_in: SignedIn, refresh: RefreshIn) -> HttpResponse {
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
