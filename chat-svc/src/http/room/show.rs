//! `GET /chat/rooms/{room}`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, MayMiss, SignedIn},
    token::Identity,
};

use crate::{
    chat::{Chat, RoomView},
    room::RoomId,
};

/// Show a room
#[utoipa::path(
    tag = "rooms",
    security(("bearer" = [])),
    params(("room" = RoomId, Path)),
    responses(
        (status = 200, description = "The room", body = RoomView),
        SignedIn, MayMiss, Always,
    )
)]
#[get("/rooms/{room}")]
pub(crate) async fn show(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(chat.room(*room, user.user).await?))
}
