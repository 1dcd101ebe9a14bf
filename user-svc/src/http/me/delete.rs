//! `DELETE /user/me`

use actix_web::{HttpResponse, delete, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, MayMiss, MayRefuse, SignedIn, TakesIfMatch},
    token::{Identity, Verifier},
};

use crate::account::{Accounts, IfMatch};

/// Delete your account
///
/// Asks for a recent sign-in. You are signed out everywhere at once, and nobody sees your profile any more. It is erased for good later.
#[utoipa::path(
    tag = "me",
    security(("bearer" = [])),
    params(("If-Match" = Option<String>, Header, description = "The ETag of the version that you delete")),
    responses((status = 204, description = "Deleted"), SignedIn, MayRefuse, MayMiss, TakesIfMatch, Always),
)]
#[delete("/me")]
pub(crate) async fn delete(
    accounts: web::Data<Accounts>,
    verifier: web::Data<Verifier>,
    identity: Identity,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    identity.signed_in_recently(accounts.clock.now())?;
    accounts.delete(identity.user, if_match, None).await?;
    verifier.settled().await;
    Ok(HttpResponse::NoContent().finish())
}
