//! `GET /chat/rooms`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, SignedIn, TakesInput},
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::{Chat, RoomView, Scope},
    http::page::{Page, limit},
};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// `mine` (default): the rooms you are in, the newest first. `public`: all public rooms, by name.
    #[param(inline)]
    scope: Option<Which>,
    /// A part of the name.
    search: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100, 50 when left out.
    limit: Option<i64>,
}

#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Which {
    Mine,
    Public,
}

/// List rooms
#[utoipa::path(
    tag = "rooms",
    security(("bearer" = [])),
    params(Asked),
    responses(
        (status = 200, description = "A page of rooms", body = Page<RoomView>),
        SignedIn, TakesInput, Always,
    )
)]
#[get("/rooms")]
pub(crate) async fn list(
    chat: web::Data<Chat>,
    user: Identity,
    web::Query(asked): web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let scope = match asked.scope {
        None | Some(Which::Mine) => Scope::Mine,
        Some(Which::Public) => Scope::Public,
    };
    let limit = limit(asked.limit, 50, 100)?;
    let (items, next_cursor) = chat.rooms(user.user, scope, asked.search, asked.cursor, limit).await?;
    Ok(HttpResponse::Ok().json(Page { items, next_cursor }))
}
