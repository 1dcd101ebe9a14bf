//! `GET /chat/rooms/{room}/messages`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    problem::{Problem, kind},
    service::refusals::{Always, MayMiss, SignedIn, TakesInput},
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::{Around, Chat},
    http::page::{Page, limit},
    room::{Message, RoomId, Seq},
};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// The newest messages before this seq.
    before: Option<i64>,
    /// The oldest messages after this seq.
    after: Option<i64>,
    /// As many messages before this seq as from it on.
    around: Option<i64>,
    /// 1 to 100, 50 when left out.
    limit: Option<i64>,
}

/// Read messages, oldest first
///
/// The newest ones, unless the query says otherwise. `next_cursor` is the value of `before` (of `after`, when that was
/// asked) for the next page.
#[utoipa::path(
    tag = "messages",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), Asked),
    responses(
        (status = 200, description = "A page of messages", body = Page<Message>),
        SignedIn, MayMiss, TakesInput, Always,
    )
)]
#[get("/rooms/{room}/messages")]
pub(crate) async fn list(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
    web::Query(asked): web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let limit = limit(asked.limit, 50, 100)?;
    let around = match (asked.before, asked.after, asked.around) {
        (None, None, None) => Around::Newest,
        (Some(seq), None, None) => Around::Before(Seq(seq)),
        (None, Some(seq), None) => Around::After(Seq(seq)),
        (None, None, Some(seq)) => Around::Seq(Seq(seq)),
        _ => {
            return Err(Problem::new(kind::INVALID_INPUT).detail("Give one of before, after and around."));
        }
    };
    let items = chat.history(*room, user.user, around, limit).await?;
    let full = items.len() == usize::try_from(limit).unwrap_or(0);
    let edge = match around {
        Around::After(_) => items.last(),
        Around::Newest | Around::Before(_) => items.first(),
        // There is more on both sides; the client knows the seqs to ask from.
        Around::Seq(_) => None,
    };
    let next_cursor = edge.filter(|_| full).map(|message| message.seq.0.to_string());
    Ok(HttpResponse::Ok().json(Page { items, next_cursor }))
}
