//! `GET /auth/passkeys`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::Problem,
    service::{
        page::Page,
        refusals::{Always, SignedIn},
    },
    token::Identity,
};

use super::Passkey;
use crate::Auth;

/// Your passkeys
///
/// The oldest first, all on one page.
#[utoipa::path(
    tag = "passkeys",
    security(("bearer" = [])),
    responses((status = 200, description = "Your passkeys", body = Page<Passkey>), SignedIn, Always),
)]
#[get("/passkeys")]
pub(crate) async fn list(auth: web::Data<Auth>, identity: Identity) -> Result<HttpResponse, Problem> {
    let rows = auth.passkeys_of(identity.user).await?;
    let items = rows.into_iter().map(Passkey::from).collect();
    Ok(HttpResponse::Ok().json(Page { items, next_cursor: None }))
}
