//! `/chat/rooms/{room}/mutes`

use actix_web::{HttpResponse, delete, put, web};
use irongate_shared::{
    clock::Timestamp,
    id::UserId,
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayMiss, MayRefuse, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::Chat,
    room::{Command, RoomId},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mute {
    until: Timestamp,
}

/// Keep a member from writing for a while
///
/// For moderators and owners.
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("user" = UserId, Path)),
    request_body = Mute,
    responses(
        (status = 204, description = "The member reads and does not write"),
        SignedIn, MayRefuse, MayMiss, TakesBody, Always,
    )
)]
#[put("/rooms/{room}/mutes/{user}")]
pub(crate) async fn mute(
    chat: web::Data<Chat>,
    by: Identity,
    path: web::Path<(RoomId, UserId)>,
    Body(mute): Body<Mute>,
) -> Result<HttpResponse, Problem> {
    let (room, user) = path.into_inner();
    chat.admit(by.user)?;
    chat.act(room, by.user, Command::Mute { user, until: Some(mute.until) }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Let a member write again
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("user" = UserId, Path)),
    responses(
        (status = 204, description = "The member may write"),
        SignedIn, MayRefuse, MayMiss, Always,
    )
)]
#[delete("/rooms/{room}/mutes/{user}")]
pub(crate) async fn unmute(
    chat: web::Data<Chat>,
    by: Identity,
    path: web::Path<(RoomId, UserId)>,
) -> Result<HttpResponse, Problem> {
    let (room, user) = path.into_inner();
    chat.admit(by.user)?;
    chat.act(room, by.user, Command::Mute { user, until: None }).await?;
    Ok(HttpResponse::NoContent().finish())
}
