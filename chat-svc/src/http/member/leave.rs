//! `DELETE /chat/rooms/{room}/members/me`

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

/// Leave a room
///
/// When its last owner leaves, the member with the most rights who has been there longest becomes owner.
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path)),
    responses(
        (status = 204, description = "You are not in it"),
        SignedIn, MayRefuse, MayMiss, Always,
    )
)]
#[delete("/rooms/{room}/members/me")]
pub(crate) async fn leave(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
) -> Result<HttpResponse, Problem> {
    chat.admit(user.user)?;
    chat.act(*room, user.user, Command::Leave).await?;
    Ok(HttpResponse::NoContent().finish())
}
