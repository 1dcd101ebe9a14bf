//! `DELETE /chat/rooms/{room}/messages/{seq}`

use actix_web::{HttpResponse, delete, web};
use irongate_shared::{
    problem::{Document, Problem},
    token::Identity,
};

use crate::{
    chat::Chat,
    room::{Command, RoomId, Seq},
};

/// Delete a message
///
/// Yours, or as a moderator anybody's. Its text is gone for good; its place in the log stays.
#[utoipa::path(
    tag = "messages",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("seq" = i64, Path)),
    responses(
        (status = 204, description = "It says nothing"),
        (status = 401, description = "You are not signed in", body = Document),
        (status = 403, description = "You may not do this", body = Document),
        (status = 404, description = "There is no such message for you", body = Document),
    )
)]
#[delete("/rooms/{room}/messages/{seq}")]
pub(crate) async fn delete(
    chat: web::Data<Chat>,
    user: Identity,
    path: web::Path<(RoomId, Seq)>,
) -> Result<HttpResponse, Problem> {
    let (room, seq) = path.into_inner();
    chat.admit(user.user)?;
    chat.act(room, user.user, Command::DeleteMessage { seq }).await?;
    Ok(HttpResponse::NoContent().finish())
}
