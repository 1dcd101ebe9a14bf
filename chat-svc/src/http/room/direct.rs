//! `POST /chat/dms`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    id::UserId,
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayMiss, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::{Chat, RoomView},
    room::{Command, Outcome, RoomId},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct With {
    user: UserId,
}

/// Talk to somebody directly
///
/// There is one such room for two users, whoever opens it first.
#[utoipa::path(
    tag = "rooms",
    security(("bearer" = [])),
    request_body = With,
    responses(
        (status = 200, description = "The room was there", body = RoomView),
        (status = 201, description = "The room was made", body = RoomView),
        SignedIn, MayMiss, TakesBody, Always,
    )
)]
#[post("/dms")]
pub(crate) async fn direct(
    chat: web::Data<Chat>,
    user: Identity,
    Body(with): Body<With>,
) -> Result<HttpResponse, Problem> {
    chat.admit(user.user)?;
    chat.meet(&user).await?;
    chat.look_up(with.user).await?;
    let id = RoomId::direct(user.user, with.user);
    let outcome = chat.act(id, user.user, Command::OpenDirect { with: with.user }).await?;
    let room = chat.room(id, user.user).await?;
    let mut answer = match outcome {
        Outcome::Logged(_) => HttpResponse::Created(),
        Outcome::Done | Outcome::Sent(_) | Outcome::Marked(_) => HttpResponse::Ok(),
    };
    Ok(answer.json(room))
}
