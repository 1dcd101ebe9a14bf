//! `GET /chat/rooms/{room}/members`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    id::UserId,
    problem::Problem,
    service::refusals::{Always, MayMiss, SignedIn, TakesInput},
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::{Chat, MemberView},
    http::page::{Page, limit},
    room::RoomId,
};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// `next_cursor` of the page before.
    cursor: Option<UserId>,
    /// 1 to 200, 100 when left out.
    limit: Option<i64>,
}

/// List a room's members
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), Asked),
    responses(
        (status = 200, description = "A page of members", body = Page<MemberView>),
        SignedIn, MayMiss, TakesInput, Always,
    )
)]
#[get("/rooms/{room}/members")]
pub(crate) async fn list(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
    web::Query(asked): web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let limit = limit(asked.limit, 100, 200)?;
    let items = chat.members(*room, user.user, asked.cursor, limit).await?;
    let full = items.len() == usize::try_from(limit).unwrap_or(0);
    let next_cursor = items.last().filter(|_| full).map(|member| member.user.id.to_string());
    Ok(HttpResponse::Ok().json(Page { items, next_cursor }))
}
