//! `DELETE /chat/rooms/{room}/members/{user}`

use actix_web::{HttpResponse, delete, web};
use irongate_shared::{
    id::UserId,
    problem::Problem,
    service::refusals::{Always, MayMiss, MayRefuse, SignedIn},
    token::Identity,
};

use crate::{
    chat::Chat,
    room::{Command, RoomId},
};

/// Remove a member
///
/// For moderators and owners. The member may come back; see bans.
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("user" = UserId, Path)),
    responses(
        (status = 204, description = "The user is not in the room"),
        SignedIn, MayRefuse, MayMiss, Always,
    )
)]
#[delete("/rooms/{room}/members/{user}")]
pub(crate) async fn remove(
    chat: web::Data<Chat>,
    by: Identity,
    path: web::Path<(RoomId, UserId)>,
) -> Result<HttpResponse, Problem> {
    let (room, user) = path.into_inner();
    chat.admit(by.user)?;
    chat.act(room, by.user, Command::Remove { user }).await?;
    Ok(HttpResponse::NoContent().finish())
}
