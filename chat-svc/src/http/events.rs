//! `POST /chat/events`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    account::AccountEvent,
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayRefuse, SignedIn, TakesBody},
    },
    token::{Scope, ServiceIdentity},
};

use crate::chat::Chat;

/// Tell what happened to an account
///
/// For services; scope `events:write`. Telling it twice changes nothing.
#[utoipa::path(
    tag = "services",
    security(("bearer" = [])),
    request_body = AccountEvent,
    responses((status = 204, description = "Taken in"), SignedIn, MayRefuse, TakesBody, Always),
)]
#[post("/events")]
pub(crate) async fn take(
    chat: web::Data<Chat>,
    service: ServiceIdentity,
    Body(event): Body<AccountEvent>,
) -> Result<HttpResponse, Problem> {
    service.needs(Scope::EventsWrite)?;
    chat.take_in(event).await?;
    Ok(HttpResponse::NoContent().finish())
}
