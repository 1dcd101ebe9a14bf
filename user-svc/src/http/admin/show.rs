//! `GET /user/admin/users/{id}`

use actix_web::{HttpResponse, get, http::header, web};
use irongate_shared::{
    id::UserId,
    problem::Problem,
    service::refusals::{Always, MayMiss, MayRefuse, SignedIn},
    token::Admin,
};

use super::Account;
use crate::{account::Accounts, http::version::etag};

/// An account
#[utoipa::path(
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses((status = 200, description = "The account", body = Account, headers(("ETag" = String))), SignedIn, MayRefuse, MayMiss, Always),
)]
#[get("/admin/users/{id}")]
pub(crate) async fn show(
    accounts: web::Data<Accounts>,
    _: Admin,
    id: web::Path<UserId>,
) -> Result<HttpResponse, Problem> {
    let user = accounts.by_id(id.into_inner()).await?;
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag(user.version))).json(Account::from(user)))
}
