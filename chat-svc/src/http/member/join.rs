//! `PUT /chat/rooms/{room}/members/me`

use actix_web::{HttpResponse, put, web};
use irongate_shared::{
    problem::{Problem, kind},
    service::refusals::{Always, MayConflict, MayMiss, MayRefuse, SignedIn},
    token::Identity,
};

use crate::{
    chat::{Chat, Membership},
    room::{Command, RoomId},
};

/// Join a public room
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path)),
    responses(
        (status = 200, description = "You are in", body = Membership),
        SignedIn, MayRefuse, MayMiss, MayConflict, Always,
    )
)]
#[put("/rooms/{room}/members/me")]
pub(crate) async fn join(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
) -> Result<HttpResponse, Problem> {
    chat.admit(user.user)?;
    chat.meet(&user).await?;
    chat.act(*room, user.user, Command::Join).await?;
    let room = chat.room(*room, user.user).await?;
    // Somebody may have removed the user in between.
    let member = room.member.ok_or_else(|| Problem::new(kind::NOT_FOUND))?;
    Ok(HttpResponse::Ok().json(member))
}
