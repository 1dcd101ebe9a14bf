//! `GET /chat/search`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::Problem,
    service::refusals::{Always, MayMiss, MayRefuse, SignedIn, TakesInput},
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::Chat,
    http::page::{Page, limit},
    room::{Message, RoomId, Words},
};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Words that the message holds, all of them; words in quotes stand side by side.
    #[serde(default)]
    #[param(required, min_length = 1, max_length = 200)]
    q: String,
    /// Only messages of this room.
    room: Option<RoomId>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100, 20 when left out.
    limit: Option<i64>,
}

/// Search messages, newest first
///
/// In the rooms that you are in. Whole words are found, in upper or lower case; what an edited message said before is
/// not, nor is a deleted one.
#[utoipa::path(
    tag = "messages",
    security(("bearer" = [])),
    params(Asked),
    responses(
        (status = 200, description = "A page of messages", body = Page<Message>),
        SignedIn, MayRefuse, MayMiss, TakesInput, Always,
    )
)]
#[get("/search")]
pub(crate) async fn search(
    chat: web::Data<Chat>,
    user: Identity,
    web::Query(asked): web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let words = Words::parse(&asked.q).map_err(|why| why.in_field("q"))?;
    let limit = limit(asked.limit, 20, 100)?;
    chat.admit(user.user)?;
    let (items, next_cursor) = chat.search(user.user, words, asked.room, asked.cursor, limit).await?;
    Ok(HttpResponse::Ok().json(Page { items, next_cursor }))
}
