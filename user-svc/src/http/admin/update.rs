//! `PATCH /user/admin/users/{id}`

use actix_web::{HttpResponse, http::header, patch, web};
use irongate_shared::{
    id::UserId,
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayConflict, MayMiss, MayRefuse, SignedIn, TakesBody, TakesIfMatch},
    },
    token::{Admin, Role, Verifier},
};
use serde::Deserialize;

use super::{Account, not_oneself};
use crate::{
    account::{Accounts, IfMatch, ProfileChange},
    http::version::etag,
};

/// What is left out stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountChange {
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    bio: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    role: Option<Role>,
    /// Nobody can sign in to a locked account, and its sessions end.
    #[serde(default)]
    locked: Option<bool>,
}

/// Change an account, its role, or lock it
///
/// Once a change of role or lock has answered, no service accepts tokens that do not know of it.
#[utoipa::path(
    tag = "administration",
    security(("bearer" = [])),
    params(("id" = UserId, Path), ("If-Match" = Option<String>, Header, description = "The ETag of the version that you change")),
    request_body = AccountChange,
    responses(
        (status = 200, description = "As it is now", body = Account, headers(("ETag" = String))),
        SignedIn, MayRefuse, MayMiss, MayConflict, TakesIfMatch, TakesBody, Always,
    ),
)]
#[patch("/admin/users/{id}")]
pub(crate) async fn update(
    accounts: web::Data<Accounts>,
    verifier: web::Data<Verifier>,
    Admin(admin): Admin,
    id: web::Path<UserId>,
    if_match: IfMatch,
    Body(change): Body<AccountChange>,
) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let (role, locked, now) = (change.role, change.locked, accounts.clock.now());
    let takes_rights = role.is_some() || locked.is_some();
    if takes_rights {
        not_oneself(&admin, id)?;
    }
    let profile = ProfileChange::of(change.display_name, change.bio, change.email).check()?;
    let edited = accounts.change(id, if_match, Some(admin.user), move |user| {
        profile.apply(user);
        user.role = role.unwrap_or(user.role);
        user.locked_at_ms = match locked {
            None => user.locked_at_ms,
            Some(true) => user.locked_at_ms.or(Some(now)),
            Some(false) => None,
        };
    });
    let user = edited.await?;
    if takes_rights {
        verifier.settled().await;
    }
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag(user.version))).json(Account::from(user)))
}
