//! `PUT` and `DELETE /user/me/avatar`, `GET /user/avatars/{id}/{file}`

use actix_web::{HttpResponse, delete, get, http::header, put, web};
use futures_util::StreamExt as _;
use irongate_shared::{
    id::UserId,
    problem::{Problem, kind},
    service::refusals::{Always, MayMiss, SignedIn, TakesBody},
    token::Identity,
};

use crate::{account::Accounts, avatar::MOST_BYTES};

/// Set your picture
///
/// A JPEG, PNG, WebP or GIF; the middle square is kept, without metadata.
#[utoipa::path(
    tag = "me",
    security(("bearer" = [])),
    request_body(content = Vec<u8>, content_type = "image/*"),
    responses((status = 204, description = "It is set; your account names its address"), SignedIn, MayMiss, TakesBody, Always),
)]
#[put("/me/avatar")]
pub(crate) async fn put(
    accounts: web::Data<Accounts>,
    identity: Identity,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut file = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|why| {
            Problem::new(kind::MALFORMED_REQUEST).detail("The body ended early.").because(why)
        })?;
        if file.len() + chunk.len() > MOST_BYTES {
            return Err(
                Problem::new(kind::TOO_LARGE).detail(format!("A picture may have {MOST_BYTES} bytes."))
            );
        }
        file.extend_from_slice(&chunk);
    }
    accounts.set_avatar(identity.user, file).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Remove your picture
#[utoipa::path(
    tag = "me",
    security(("bearer" = [])),
    responses((status = 204, description = "It is gone"), SignedIn, MayMiss, Always),
)]
#[delete("/me/avatar")]
pub(crate) async fn delete(
    accounts: web::Data<Accounts>,
    identity: Identity,
) -> Result<HttpResponse, Problem> {
    accounts.remove_avatar(identity.user).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Somebody's picture
///
/// For everybody who knows the address; another picture has another.
#[utoipa::path(
    tag = "users",
    params(("id" = UserId, Path), ("file" = String, Path, example = "5d3c7cc18a313f5f.jpg")),
    responses((status = 200, description = "A JPEG of 256 by 256 pixels", body = Vec<u8>, content_type = "image/jpeg"), MayMiss, Always),
)]
#[get("/avatars/{id}/{file}")]
pub(crate) async fn get(
    accounts: web::Data<Accounts>,
    path: web::Path<(UserId, String)>,
) -> Result<HttpResponse, Problem> {
    let (user, file) = path.into_inner();
    let jpeg = accounts.avatar(user, file).await?.ok_or(Problem::new(kind::NOT_FOUND))?;
    Ok(HttpResponse::Ok()
        .content_type("image/jpeg")
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        // SECURITY: what users upload is never more than a picture, whatever a browser makes of it.
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .body(jpeg))
}
