//! `DELETE /auth/passkeys/{id}`

use actix_web::{HttpResponse, delete, web};
use irongate_shared::{
    problem::Problem,
    service::{
        Client,
        refusals::{Always, MayMiss, MayRefuse, SignedIn},
    },
    token::Identity,
};

use crate::{Auth, store::passkeys::PasskeyId};

/// Delete a passkey
///
/// Asks for a recent sign-in. Recovery codes go with the last second factor.
#[utoipa::path(
    tag = "passkeys",
    security(("bearer" = [])),
    params(("id" = PasskeyId, Path)),
    responses((status = 204, description = "Deleted"), SignedIn, MayRefuse, MayMiss, Always),
)]
#[delete("/passkeys/{id}")]
pub(crate) async fn end(
    auth: web::Data<Auth>,
    identity: Identity,
    client: Client,
    id: web::Path<PasskeyId>,
) -> Result<HttpResponse, Problem> {
    identity.signed_in_recently(auth.clock.now())?;
    auth.end_passkey(identity.user, id.into_inner(), client).await?;
    Ok(HttpResponse::NoContent().finish())
}
