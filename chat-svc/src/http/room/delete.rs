//! `DELETE /chat/rooms/{room}`

use actix_web::{HttpResponse, delete, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, MayMiss, MayRefuse, SignedIn},
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
        SignedIn, MayRefuse, MayMiss, Always,
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
