//! `PUT /chat/rooms/{room}/members/{user}`

use actix_web::{HttpResponse, put, web};
use irongate_shared::{
    id::UserId,
    problem::{Document, Problem},
    service::input::Body,
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::Chat,
    http::token::AccessToken,
    room::{Command, Role, RoomId},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// For a member: the new role, which owners hand out. Left out: the user is brought in as a member.
    role: Option<Role>,
}

/// Bring somebody in, or give a member another role
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("user" = UserId, Path)),
    request_body = Place,
    responses(
        (status = 204, description = "It is so"),
        (status = 401, description = "You are not signed in", body = Document),
        (status = 403, description = "You may not do this", body = Document),
        (status = 404, description = "There is no such room for you, or no such user", body = Document),
        (status = 409, description = "The room would have no owner, or is full", body = Document),
    )
)]
#[put("/rooms/{room}/members/{user}")]
pub(crate) async fn put(
    chat: web::Data<Chat>,
    by: Identity,
    token: AccessToken,
    path: web::Path<(RoomId, UserId)>,
    Body(place): Body<Place>,
) -> Result<HttpResponse, Problem> {
    let (room, user) = path.into_inner();
    chat.admit(by.user)?;
    let command = match place.role {
        Some(role) => Command::SetRole { user, role },
        None => {
            chat.look_up(user, &token.0).await?;
            Command::Invite { user }
        }
    };
    chat.act(room, by.user, command).await?;
    Ok(HttpResponse::NoContent().finish())
}
