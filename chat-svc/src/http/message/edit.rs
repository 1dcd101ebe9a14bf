//! `PATCH /chat/rooms/{room}/messages/{seq}`

use actix_web::{HttpResponse, patch, web};
use irongate_shared::{
    problem::Problem,
    service::{
        input,
        refusals::{Always, MayMiss, MayRefuse, SignedIn, TakesBody},
    },
    token::Identity,
};
use serde::Deserialize;

use crate::{
    chat::Chat,
    room::{Body, Command, RoomId, Seq},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// May be empty where there are attachments.
    #[schema(max_length = 8000)]
    body: String,
}

/// Change what a message of yours says
#[utoipa::path(
    tag = "messages",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), ("seq" = i64, Path)),
    request_body = Edit,
    responses(
        (status = 204, description = "It says so"),
        SignedIn, MayRefuse, MayMiss, TakesBody, Always,
    )
)]
#[patch("/rooms/{room}/messages/{seq}")]
pub(crate) async fn edit(
    chat: web::Data<Chat>,
    user: Identity,
    path: web::Path<(RoomId, Seq)>,
    input::Body(edit): input::Body<Edit>,
) -> Result<HttpResponse, Problem> {
    let (room, seq) = path.into_inner();
    let body = Body::caption(&edit.body).map_err(|why| why.in_field("body"))?;
    chat.admit(user.user)?;
    chat.act(room, user.user, Command::Edit { seq, body }).await?;
    Ok(HttpResponse::NoContent().finish())
}
