//! `GET /user/me/export`

use actix_web::{HttpResponse, get, http::header, web};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use irongate_shared::{
    account::User,
    clock::Timestamp,
    problem::Problem,
    service::refusals::{Always, MayMiss, SignedIn},
    token::Identity,
};
use serde::Serialize;

use crate::account::Accounts;

/// Everything that user-svc keeps about a user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Export {
    exported_at: Timestamp,
    account: User,
    /// The picture, a JPEG in base64.
    avatar: Option<String>,
    /// Where the rest is: addresses that take the same token. A room's messages are at `/chat/rooms/{room}/messages`.
    #[schema(example = json!(["/auth/sessions", "/auth/audit", "/auth/mfa", "/auth/passkeys", "/chat/rooms"]))]
    elsewhere: [&'static str; 5],
}

/// Take your data with you
#[utoipa::path(
    tag = "me",
    security(("bearer" = [])),
    responses((status = 200, description = "Your data", body = Export), SignedIn, MayMiss, Always),
)]
#[get("/me/export")]
pub(crate) async fn export(
    accounts: web::Data<Accounts>,
    identity: Identity,
) -> Result<HttpResponse, Problem> {
    let user = accounts.by_id(identity.user).await?;
    let avatar = match &user.avatar {
        Some(file) => accounts.avatar(user.id, file.clone()).await?,
        None => None,
    };
    let export = Export {
        exported_at: accounts.clock.now(),
        account: user.document(),
        avatar: avatar.map(|jpeg| STANDARD.encode(jpeg)),
        elsewhere: ["/auth/sessions", "/auth/audit", "/auth/mfa", "/auth/passkeys", "/chat/rooms"],
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"irongate-account.json\""))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(export))
}
