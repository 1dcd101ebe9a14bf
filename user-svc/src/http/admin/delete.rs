//! `DELETE /user/admin/users/{id}`

use actix_web::{HttpResponse, delete, web};
use irongate_shared::{
    id::UserId,
    problem::Problem,
    service::refusals::{Always, MayConflict, MayMiss, MayRefuse, SignedIn, TakesIfMatch},
    token::{Admin, Verifier},
};

use super::not_oneself;
use crate::account::{Accounts, IfMatch};

/// Delete an account
///
/// As its user would.
#[utoipa::path(
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = UserId, Path), ("If-Match" = Option<String>, Header, description = "The ETag of the version that you delete")),
    responses((status = 204, description = "Deleted"), SignedIn, MayRefuse, MayMiss, MayConflict, TakesIfMatch, Always),
)]
#[delete("/admin/users/{id}")]
pub(crate) async fn delete(
    accounts: web::Data<Accounts>,
    verifier: web::Data<Verifier>,
    Admin(admin): Admin,
    id: web::Path<UserId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    not_oneself(&admin, id)?;
    accounts.delete(id, if_match, Some(admin.user)).await?;
    verifier.settled().await;
    Ok(HttpResponse::NoContent().finish())
}
