//! `GET /user/me`

use actix_web::{HttpRequest, HttpResponse, get, http::header, web};
use irongate_shared::{
    account::User,
    problem::Problem,
    service::refusals::{Always, MayMiss, SignedIn},
    token::Identity,
};

use crate::{
    account::Accounts,
    http::version::{etag, is_known},
};

/// Your account
#[utoipa::path(
    tag = "me",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Your account", body = User, headers(("ETag" = String, description = "Its version, for If-Match"))),
        (status = 304, description = "Still the version of If-None-Match"),
        SignedIn, MayMiss, Always,
    ),
)]
#[get("/me")]
pub(crate) async fn show(
    accounts: web::Data<Accounts>,
    identity: Identity,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let user = accounts.by_id(identity.user).await?;
    let mut answer =
        if is_known(&request, user.version) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header((header::ETAG, etag(user.version)))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"));
    Ok(if is_known(&request, user.version) { answer.finish() } else { answer.json(user.document()) })
}
