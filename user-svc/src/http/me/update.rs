//! `PATCH /user/me`

use actix_web::{HttpResponse, http::header, patch, web};
use irongate_shared::{
    account::User,
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayConflict, MayMiss, MayRefuse, SignedIn, TakesBody, TakesIfMatch},
    },
    token::Identity,
};

use crate::{
    account::{Accounts, IfMatch, ProfileChange},
    http::version::etag,
};

/// Change your account
///
/// Another address asks for a recent sign-in. With `If-Match` the change is made only to the version you have seen.
#[utoipa::path(
    tag = "me",
    security(("bearer" = [])),
    params(("If-Match" = Option<String>, Header, description = "The ETag of the version that you change")),
    request_body = ProfileChange,
    responses(
        (status = 200, description = "As it is now", body = User, headers(("ETag" = String))),
        SignedIn, MayRefuse, MayMiss, MayConflict, TakesIfMatch, TakesBody, Always,
    ),
)]
#[patch("/me")]
pub(crate) async fn update(
    accounts: web::Data<Accounts>,
    identity: Identity,
    if_match: IfMatch,
    Body(change): Body<ProfileChange>,
) -> Result<HttpResponse, Problem> {
    if change.moves_address() {
        // SECURITY: account takeover: with the address goes the link that resets the password.
        identity.signed_in_recently(accounts.clock.now())?;
    }
    let change = change.check()?;
    let user = accounts.change(identity.user, if_match, None, |user| change.apply(user)).await?;
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag(user.version))).json(user.document()))
}
