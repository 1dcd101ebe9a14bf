//! `GET /user/users`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::Problem,
    service::{
        page::{Limit, Page, place_of},
        refusals::{Always, SignedIn, TakesInput},
    },
    token::Identity,
};
use serde::Deserialize;

use super::Summary;
use crate::account::Accounts;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// The beginning of a username or of any word of a name.
    #[param(example = "an")]
    search: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100, 50 when left out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Limit,
}

/// Find users
///
/// By username, in its order.
#[utoipa::path(
    tag = "users",
    security(("bearer" = [])),
    params(Search),
    responses((status = 200, description = "A page of users", body = Page<Summary>), SignedIn, TakesInput, Always),
)]
#[get("/users")]
pub(crate) async fn list(
    accounts: web::Data<Accounts>,
    _: Identity,
    web::Query(asked): web::Query<Search>,
) -> Result<HttpResponse, Problem> {
    let after = place_of(asked.cursor.as_deref())?;
    let rows = accounts.page(asked.search, after, asked.limit.and_one()).await?;
    Ok(HttpResponse::Ok().json(Page::of(rows, asked.limit, |user| &user.username_key, Summary::from)))
}
