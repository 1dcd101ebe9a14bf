//! `PUT /chat/rooms/{room}/members/{user}`

use actix_web::{HttpResponse, put, web};
use irongate_shared::{
    id::UserId,
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayConflict, MayMiss, MayRefuse, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::Chat,
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
        SignedIn, MayRefuse, MayMiss, MayConflict, TakesBody, Always,
    )
)]
#[put("/rooms/{room}/members/{user}")]
pub(crate) async fn put(
    chat: web::Data<Chat>,
    by: Identity,
    path: web::Path<(RoomId, UserId)>,
    Body(place): Body<Place>,
) -> Result<HttpResponse, Problem> {
    let (room, user) = path.into_inner();
    chat.admit(by.user)?;
    let command = match place.role {
        Some(role) => Command::SetRole { user, role },
        None => {
            chat.look_up(user).await?;
            Command::Invite { user }
        }
    };
    chat.act(room, by.user, command).await?;
    Ok(HttpResponse::NoContent().finish())
}
