//! `GET /chat/rooms/{room}`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::{Document, Problem},
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
        (status = 401, description = "You are not signed in", body = Document),
        (status = 404, description = "There is no such room for you", body = Document),
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
