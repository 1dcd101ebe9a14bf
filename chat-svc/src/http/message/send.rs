//! `POST /chat/rooms/{room}/messages`

use actix_web::{HttpResponse, post, web};
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
    room::{AttachmentId, Command, Message, Outcome, RoomId, Seq},
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// Your own name for the message, such as a UUID. Sent twice, it is stored once, and both answers are the same.
    #[schema(min_length = 1, max_length = 64)]
    cid: String,
    /// May be left out beside attachments.
    #[serde(default)]
    #[schema(example = "hi", max_length = 8000)]
    body: String,
    /// The seq of the message that this one answers.
    reply_to: Option<Seq>,
    /// Files that you uploaded to this room for this message.
    #[serde(default)]
    #[schema(max_items = 10)]
    attachments: Vec<AttachmentId>,
}

/// Send a message
#[utoipa::path(
    tag = "messages",
    security(("bearer" = [])),
    params(("room" = RoomId, Path)),
    request_body = NewMessage,
    responses(
        (status = 201, description = "The message is stored", body = Message),
        SignedIn, MayRefuse, MayMiss, TakesBody, Always,
    )
)]
#[post("/rooms/{room}/messages")]
pub(crate) async fn send(
    chat: web::Data<Chat>,
    user: Identity,
    room: web::Path<RoomId>,
    input::Body(new): input::Body<NewMessage>,
) -> Result<HttpResponse, Problem> {
    let command = Command::send(&new.cid, &new.body, new.reply_to, new.attachments)?;
    let sent = chat.act(*room, user.user, command).await?;
    match sent {
        Outcome::Sent(message) => Ok(HttpResponse::Created().json(message)),
        Outcome::Logged(_) | Outcome::Marked(_) | Outcome::Done => {
            Err(Problem::internal(anyhow::anyhow!("a message was sent and none came back")))
        }
    }
}
