//! `PUT /chat/rooms/{room}/read`

use actix_web::{HttpResponse, put, web};
use irongate_shared::{
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayMiss, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::Chat,
    room::{Command, RoomId, Seq},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    /// Everything up to here was read. It never goes back.
    seq: Seq,
}

/// Mark as read
#[utoipa::path(
    tag = "messages",
    security(("bearer" = [])),
    params(("room" = RoomId, Path)),
    request_body = Mark,
    responses(
        (status = 204, description = "It is marked"),
        SignedIn, MayMiss, TakesBody, Always,
    )
)]
#[put("/rooms/{room}/read")]
pub(crate) async fn read(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
    Body(mark): Body<Mark>,
) -> Result<HttpResponse, Problem> {
    chat.admit(user.user)?;
    chat.act(*room, user.user, Command::Read { seq: mark.seq }).await?;
    Ok(HttpResponse::NoContent().finish())
}
