//! `DELETE /chat/rooms/{room}/messages/{seq}`

use actix_web::{HttpResponse, delete, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, MayMiss, MayRefuse, SignedIn},
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
        SignedIn, MayRefuse, MayMiss, Always,
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
