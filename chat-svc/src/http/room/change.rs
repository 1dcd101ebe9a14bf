//! `PATCH /chat/rooms/{room}`

use actix_web::{HttpResponse, patch, web};
use irongate_shared::{
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayMiss, MayRefuse, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::{Chat, RoomView},
    room::{Command, RoomId, RoomName, Topic},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    #[schema(max_length = 300)]
    topic: Option<String>,
}

/// Rename a room or change its topic
///
/// For its owners.
#[utoipa::path(
    tag = "rooms",
    security(("bearer" = [])),
    params(("room" = RoomId, Path)),
    request_body = Changes,
    responses(
        (status = 200, description = "The room", body = RoomView),
        SignedIn, MayRefuse, MayMiss, TakesBody, Always,
    )
)]
#[patch("/rooms/{room}")]
pub(crate) async fn change(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
    Body(changes): Body<Changes>,
) -> Result<HttpResponse, Problem> {
    let name =
        changes.name.as_deref().map(RoomName::parse).transpose().map_err(|why| why.in_field("name"))?;
    let topic =
        changes.topic.as_deref().map(Topic::parse).transpose().map_err(|why| why.in_field("topic"))?;
    chat.admit(user.user)?;
    chat.act(*room, user.user, Command::Change { name, topic }).await?;
    Ok(HttpResponse::Ok().json(chat.room(*room, user.user).await?))
}
