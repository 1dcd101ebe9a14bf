//! `PATCH /auth/passkeys/{id}`

use actix_web::{HttpResponse, patch, web};
use irongate_shared::{
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayMiss, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use super::{Passkey, name_of};
use crate::{Auth, store::passkeys::PasskeyId};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Renamed {
    #[schema(example = "My old phone", min_length = 1, max_length = 64)]
    name: String,
}

/// Rename a passkey
#[utoipa::path(
    tag = "passkeys",
    security(("bearer" = [])),
    params(("id" = PasskeyId, Path)),
    request_body = Renamed,
    responses((status = 200, description = "As it is called now", body = Passkey), SignedIn, MayMiss, TakesBody, Always),
)]
#[patch("/passkeys/{id}")]
pub(crate) async fn rename(
    auth: web::Data<Auth>,
    identity: Identity,
    id: web::Path<PasskeyId>,
    Body(renamed): Body<Renamed>,
) -> Result<HttpResponse, Problem> {
    let row = auth.rename_passkey(identity.user, id.into_inner(), name_of(&renamed.name)?).await?;
    Ok(HttpResponse::Ok().json(Passkey::from(row)))
}
