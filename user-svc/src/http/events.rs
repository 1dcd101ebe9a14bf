//! `POST /user/events`

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

use crate::account::Accounts;

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
    accounts: web::Data<Accounts>,
    service: ServiceIdentity,
    Body(event): Body<AccountEvent>,
) -> Result<HttpResponse, Problem> {
    service.needs(Scope::EventsWrite)?;
    accounts.take_in(event).await?;
    Ok(HttpResponse::NoContent().finish())
}
