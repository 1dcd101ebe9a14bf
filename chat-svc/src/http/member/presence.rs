//! `GET /chat/rooms/{room}/presence`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    id::UserId,
    problem::Problem,
    service::refusals::{Always, MayMiss, SignedIn},
    token::Identity,
};

use crate::{chat::Chat, http::page::Page, room::RoomId};

/// Who is there right now
///
/// As far as the replica that answers knows: it hears of rooms that somebody follows through it. Empty also when more
/// than 500 are there.
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path)),
    responses(
        (status = 200, description = "Ids of users who follow the room", body = Page<UserId>),
        SignedIn, MayMiss, Always,
    )
)]
#[get("/rooms/{room}/presence")]
pub(crate) async fn presence(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
) -> Result<HttpResponse, Problem> {
    // Whether the user may know of the room at all.
    chat.room(*room, user.user).await?;
    Ok(HttpResponse::Ok().json(Page { items: chat.hub.present(*room).await, next_cursor: None }))
}
