//! `/chat/rooms/{room}/messages/{seq}/reactions/{emoji}`

use actix_web::{HttpResponse, delete, put, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, MayMiss, MayRefuse, SignedIn, TakesInput},
    token::Identity,
};

use crate::{
    chat::Chat,
    room::{Command, Emoji, RoomId, Seq},
};

/// React to a message
#[utoipa::path(
    tag = "messages",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("seq" = i64, Path), ("emoji" = String, Path)),
    responses(
        (status = 204, description = "Your reaction stands"),
        SignedIn, MayRefuse, MayMiss, TakesInput, Always,
    )
)]
#[put("/rooms/{room}/messages/{seq}/reactions/{emoji}")]
pub(crate) async fn react(
    chat: web::Data<Chat>,
    user: Identity,
    path: web::Path<(RoomId, Seq, String)>,
) -> Result<HttpResponse, Problem> {
    set(&chat, &user, path.into_inner(), true).await
}

/// Take a reaction back
#[utoipa::path(
    tag = "messages",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("seq" = i64, Path), ("emoji" = String, Path)),
    responses(
        (status = 204, description = "It is gone"),
        SignedIn, MayRefuse, MayMiss, TakesInput, Always,
    )
)]
#[delete("/rooms/{room}/messages/{seq}/reactions/{emoji}")]
pub(crate) async fn unreact(
    chat: web::Data<Chat>,
    user: Identity,
    path: web::Path<(RoomId, Seq, String)>,
) -> Result<HttpResponse, Problem> {
    set(&chat, &user, path.into_inner(), false).await
}

async fn set(
    chat: &Chat,
    user: &Identity,
    (room, seq, emoji): (RoomId, Seq, String),
    on: bool,
) -> Result<HttpResponse, Problem> {
    let emoji = Emoji::parse(&emoji).map_err(|why| why.in_field("emoji"))?;
    chat.admit(user.user)?;
    chat.act(room, user.user, Command::React { seq, emoji, on }).await?;
    Ok(HttpResponse::NoContent().finish())
}
