//! `POST /user/lookup`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    id::UserId,
    problem::{Problem, kind},
    service::{
        input::Body,
        refusals::{Always, MayRefuse, SignedIn, TakesBody},
    },
    token::{Caller, Scope},
};
use serde::{Deserialize, Serialize};

use super::Summary;
use crate::account::Accounts;

/// More would be a list, not a look-up.
const MOST_IDS: usize = 500;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookup {
    #[schema(max_items = 500)]
    ids: Vec<UserId>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Found {
    /// In no order; ids of nobody are left out.
    items: Vec<Summary>,
}

/// Ids to names
///
/// For services that show users by name (scope `users:read`), and for users.
#[utoipa::path(
    tag = "users",
    security(("bearer" = [])),
    request_body = Lookup,
    responses((status = 200, description = "Those who exist", body = Found), SignedIn, MayRefuse, TakesBody, Always),
)]
#[post("/lookup")]
pub(crate) async fn lookup(
    accounts: web::Data<Accounts>,
    caller: Caller,
    Body(asked): Body<Lookup>,
) -> Result<HttpResponse, Problem> {
    if let Caller::Service(service) = caller {
        service.needs(Scope::UsersRead)?;
    }
    if asked.ids.len() > MOST_IDS {
        return Err(
            Problem::new(kind::INVALID_INPUT).field("ids", format!("Ask for at most {MOST_IDS} at once."))
        );
    }
    let users = accounts.by_ids(asked.ids).await?;
    Ok(HttpResponse::Ok().json(Found { items: users.into_iter().map(Summary::from).collect() }))
}
