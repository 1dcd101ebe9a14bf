//! `POST /chat/rooms/{room}/attachments`

use std::time::Duration;

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    http::header::{CONTENT_LENGTH, HeaderMap},
    post, web,
};
use futures_util::StreamExt as _;
use irongate_shared::{
    clock::Timestamp,
    problem::{Document, Problem},
    service::refusals::{Always, MayMiss, MayRefuse, SignedIn, TakesBody},
    token::Identity,
};
use serde::{Deserialize, Serialize};

use crate::{
    attachment::Attachments,
    room::{Attachment, FileName, RoomId},
};

/// What is read of a refused file, and for how long: a client that is still sending sees no answer.
const READ_ANYWAY: usize = 32 << 20;
const READ_FOR: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// What the file is called.
    #[serde(default = "unnamed")]
    #[param(required = false, min_length = 1, max_length = 200, example = "plan.pdf")]
    name: String,
}

fn unnamed() -> String {
    "file".to_owned()
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Uploaded {
    #[serde(flatten)]
    attachment: Attachment,
    created_at: Timestamp,
}

/// Upload a file for a message
///
/// The body is the file itself, `Content-Type` says what it is. It is in no message until you send one that names its
/// id; what is not sent is deleted after a day.
#[utoipa::path(
    tag = "attachments",
    security(("bearer" = [])),
    params(("room" = RoomId, Path), Asked),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "It is stored", body = Uploaded),
        (status = 507, description = "Nothing was stored; there is no room left", body = Document, content_type = "application/problem+json"),
        SignedIn, MayRefuse, MayMiss, TakesBody, Always,
    )
)]
#[post("/rooms/{room}/attachments")]
pub(crate) async fn upload(
    attachments: web::Data<Attachments>,
    user: Identity,
    room: web::Path<RoomId>,
    web::Query(asked): web::Query<Asked>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let name = FileName::parse(&asked.name).map_err(|why| why.in_field("name"))?;
    let length = length(request.headers());
    let taken =
        attachments.take_in((*room, user.user), name, request.content_type(), length, &mut payload).await;
    match taken {
        Ok(upload) => {
            let created_at = upload.created_at_ms;
            Ok(HttpResponse::Created().json(Uploaded { attachment: upload.into(), created_at }))
        }
        Err(why) => {
            let _ = tokio::time::timeout(READ_FOR, read_anyway(&mut payload)).await;
            Err(why.into())
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read_anyway(payload: &mut web::Payload) {
    let mut left = READ_ANYWAY;
    while let Some(Ok(chunk)) = payload.next().await {
        match left.checked_sub(chunk.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}
