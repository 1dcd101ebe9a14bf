//! The cookie that holds a browser's refresh token: out of reach for scripts, sent to `/auth` alone.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time},
};
use irongate_shared::problem::{Problem, kind};

use crate::session::RefreshToken;

/// The prefix binds it to HTTPS (RFC 6265bis §4.1.3.1); `__Host-` would demand the path `/`.
const NAME: &str = "__Secure-refresh";

pub(crate) fn holding(token: &RefreshToken, lifetime: Duration) -> Cookie<'static> {
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    bare(token.text()).max_age(time::Duration::seconds(seconds)).finish()
}

/// Makes the browser forget it.
pub(crate) fn removal() -> Cookie<'static> {
    bare(String::new()).max_age(time::Duration::ZERO).finish()
}

fn bare(value: String) -> actix_web::cookie::CookieBuilder<'static> {
    Cookie::build(NAME, value).path("/auth").http_only(true).secure(true).same_site(SameSite::Strict)
}

/// The token that a browser sent along.
pub(crate) fn token_of(request: &HttpRequest) -> Result<Option<RefreshToken>, Problem> {
    let Some(cookie) = request.cookie(NAME) else { return Ok(None) };
    // SECURITY: cross-site request forgery from a sibling domain, which counts as the same site for the cookie.
    let from = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if from.is_some_and(|from| !matches!(from, "same-origin" | "none")) {
        return Err(Problem::new(kind::FORBIDDEN).detail("The cookie is for pages of this origin alone."));
    }
    Ok(RefreshToken::parse(cookie.value()))
}
