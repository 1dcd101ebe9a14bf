//! `DELETE /chat/rooms/{room}`

use actix_web::{HttpResponse, delete, web};
use irongate_shared::{
    problem::{Document, Problem},
    token::Identity,
};

use crate::{
    chat::Chat,
    room::{Command, RoomId},
};

/// Delete a room with everything in it
///
/// For its owners.
#[utoipa::path(
    tag = "rooms",
    security(("bearer" = [])),
    params(("room" = RoomId, Path)),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "You are not signed in", body = Document),
        (status = 403, description = "You may not do this", body = Document),
        (status = 404, description = "There is no such room for you", body = Document),
    )
)]
#[delete("/rooms/{room}")]
pub(crate) async fn delete(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
) -> Result<HttpResponse, Problem> {
    chat.admit(user.user)?;
    chat.act(*room, user.user, Command::Delete).await?;
    Ok(HttpResponse::NoContent().finish())
}
