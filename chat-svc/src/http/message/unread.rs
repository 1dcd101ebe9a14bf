//! `GET /chat/unread`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, SignedIn, TakesInput},
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::{Chat, UnreadView},
    http::page::{Page, limit},
    room::RoomId,
};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// `next_cursor` of the page before.
    cursor: Option<RoomId>,
    /// 1 to 100, 100 when left out.
    limit: Option<i64>,
}

/// In which rooms there is something to read
///
/// A page may hold fewer rooms than asked for, and there may be more all the same: follow `next_cursor`.
#[utoipa::path(
    tag = "messages",
    security(("bearer" = [])),
    params(Asked),
    responses(
        (status = 200, description = "A page of rooms with messages that you have not read", body = Page<UnreadView>),
        SignedIn, TakesInput, Always,
    )
)]
#[get("/unread")]
pub(crate) async fn unread(
    chat: web::Data<Chat>,
    user: Identity,
    web::Query(asked): web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let limit = limit(asked.limit, 100, 100)?;
    let (items, next) = chat.unread(user.user, asked.cursor, limit).await?;
    Ok(HttpResponse::Ok().json(Page { items, next_cursor: next.map(|room| room.to_string()) }))
}
