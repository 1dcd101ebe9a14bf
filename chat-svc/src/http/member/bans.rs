//! `/chat/rooms/{room}/bans`

use actix_web::{HttpResponse, delete, get, put, web};
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
    chat::{BanView, Chat},
    http::page::Page,
    room::{Command, RoomId, Topic},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBan {
    /// Left out: for good.
    until: Option<Timestamp>,
    #[schema(max_length = 300)]
    reason: Option<String>,
}

/// List who is banned
///
/// For moderators and owners.
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path)),
    responses(
        (status = 200, description = "The bans in force, the newest first", body = Page<BanView>),
        SignedIn, MayRefuse, MayMiss, Always,
    )
)]
#[get("/rooms/{room}/bans")]
pub(crate) async fn list(
    chat: web::Data<Chat>,
    by: Identity,
    room: web::Path<RoomId>,
) -> Result<HttpResponse, Problem> {
    let items = chat.bans(*room, by.user).await?;
    Ok(HttpResponse::Ok().json(Page { items, next_cursor: None }))
}

/// Ban a user
///
/// For moderators and owners. A member is removed, and whoever is banned cannot come in.
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("user" = UserId, Path)),
    request_body = NewBan,
    responses(
        (status = 204, description = "The user is banned"),
        SignedIn, MayRefuse, MayMiss, TakesBody, Always,
    )
)]
#[put("/rooms/{room}/bans/{user}")]
pub(crate) async fn ban(
    chat: web::Data<Chat>,
    by: Identity,
    path: web::Path<(RoomId, UserId)>,
    Body(new): Body<NewBan>,
) -> Result<HttpResponse, Problem> {
    let (room, user) = path.into_inner();
    let reason = new.reason.as_deref().map(Topic::parse).transpose().map_err(|why| why.in_field("reason"))?;
    chat.admit(by.user)?;
    chat.act(room, by.user, Command::Ban { user, until: new.until, reason }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lift a ban
#[utoipa::path(
    tag = "members",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("user" = UserId, Path)),
    responses(
        (status = 204, description = "The user is not banned"),
        SignedIn, MayRefuse, MayMiss, Always,
    )
)]
#[delete("/rooms/{room}/bans/{user}")]
pub(crate) async fn unban(
    chat: web::Data<Chat>,
    by: Identity,
    path: web::Path<(RoomId, UserId)>,
) -> Result<HttpResponse, Problem> {
    let (room, user) = path.into_inner();
    chat.admit(by.user)?;
    chat.act(room, by.user, Command::Unban { user }).await?;
    Ok(HttpResponse::NoContent().finish())
}
