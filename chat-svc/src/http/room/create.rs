//! `POST /chat/rooms`

use actix_web::{HttpResponse, http::header, post, web};
use irongate_shared::{
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::{Chat, RoomView},
    room::{Command, Kind, RoomId, RoomName, Topic},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRoom {
    kind: NewKind,
    #[schema(example = "garden", min_length = 1, max_length = 80)]
    name: String,
    #[schema(max_length = 300)]
    topic: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum NewKind {
    Public,
    Private,
}

/// Make a room
///
/// You are its owner.
#[utoipa::path(
    tag = "rooms",
    security(("bearer" = [])),
    request_body = NewRoom,
    responses(
        (status = 201, description = "The room", body = RoomView),
        SignedIn, TakesBody, Always,
    )
)]
#[post("/rooms")]
pub(crate) async fn create(
    chat: web::Data<Chat>,
    user: Identity,
    Body(new): Body<NewRoom>,
) -> Result<HttpResponse, Problem> {
    let kind = match new.kind {
        NewKind::Public => Kind::Public,
        NewKind::Private => Kind::Private,
    };
    let name = RoomName::parse(&new.name).map_err(|why| why.in_field("name"))?;
    let topic =
        Topic::parse(new.topic.as_deref().unwrap_or_default()).map_err(|why| why.in_field("topic"))?;
    chat.admit(user.user)?;
    chat.meet(&user).await?;
    let room = RoomId::new();
    chat.act(room, user.user, Command::Create { kind, name, topic }).await?;
    let room = chat.room(room, user.user).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/chat/rooms/{}", room.id)))
        .json(room))
}
