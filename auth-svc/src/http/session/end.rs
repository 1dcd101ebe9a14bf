//! `DELETE /auth/sessions/{id}`

use actix_web::{HttpResponse, delete, web};
use irongate_shared::{
    id::SessionId,
    problem::Problem,
    service::{
        Client,
        refusals::{Always, MayMiss, SignedIn},
    },
    token::Identity,
};

use crate::Auth;

/// End one of your sessions
///
/// Once this has answered, no service accepts its tokens.
#[utoipa::path(
    tag = "session",
    security(("bearer" = [])),
    params(("id" = SessionId, Path)),
    responses((status = 204, description = "Ended"), SignedIn, MayMiss, Always),
)]
#[delete("/sessions/{id}")]
pub(crate) async fn end(
    auth: web::Data<Auth>,
    identity: Identity,
    client: Client,
    id: web::Path<SessionId>,
) -> Result<HttpResponse, Problem> {
    auth.end_session(identity.user, id.into_inner(), client).await?;
    Ok(HttpResponse::NoContent().finish())
}
