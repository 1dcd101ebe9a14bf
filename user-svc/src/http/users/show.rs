//! `GET /user/users/{username}`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, MayMiss, SignedIn},
    token::Identity,
};

use super::Profile;
use crate::account::Accounts;

/// Somebody's profile
#[utoipa::path(
    tag = "users",
    security(("bearer" = [])),
    params(("username" = String, Path, example = "ann")),
    responses((status = 200, description = "The profile", body = Profile), SignedIn, MayMiss, Always),
)]
#[get("/users/{username}")]
pub(crate) async fn show(
    accounts: web::Data<Accounts>,
    _: Identity,
    username: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let user = accounts.by_username(&username).await?;
    Ok(HttpResponse::Ok().json(Profile::from(user)))
}
