//! `GET /user/admin/users`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::Problem,
    service::{
        page::{Limit, Page, place_of},
        refusals::{Always, MayRefuse, SignedIn, TakesInput},
    },
    token::Admin,
};
use serde::Deserialize;

use super::Account;
use crate::account::Accounts;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// The beginning of a username, an e-mail address, or any word of a name.
    #[param(example = "an")]
    search: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100, 50 when left out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Limit,
}

/// All accounts
///
/// By username, the locked ones too.
#[utoipa::path(
    tag = "administration",
    security(("bearer" = [])),
    params(Search),
    responses((status = 200, description = "A page of accounts", body = Page<Account>), SignedIn, MayRefuse, TakesInput, Always),
)]
#[get("/admin/users")]
pub(crate) async fn list(
    accounts: web::Data<Accounts>,
    _: Admin,
    web::Query(asked): web::Query<Search>,
) -> Result<HttpResponse, Problem> {
    let after = place_of(asked.cursor.as_deref())?;
    let rows = accounts.page_of_all(asked.search, after, asked.limit.and_one()).await?;
    Ok(HttpResponse::Ok().json(Page::of(rows, asked.limit, |user| &user.username_key, Account::from)))
}
