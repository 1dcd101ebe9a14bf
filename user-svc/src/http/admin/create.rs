//! `POST /user/admin/users`

use actix_web::{HttpResponse, http::header, post, web};
use irongate_shared::{
    problem::Problem,
    secret::Secret,
    service::{
        input::Body,
        refusals::{Always, MayConflict, MayRefuse, SignedIn, TakesBody},
    },
    token::{Admin, Role},
};
use serde::Deserialize;

use super::Account;
use crate::{
    account::{Accounts, Registration},
    http::version::etag,
};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    #[schema(example = "ann", min_length = 3, max_length = 32)]
    username: String,
    #[schema(example = "ann@example.org", max_length = 254)]
    email: String,
    /// 8 characters to 71 bytes.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 71)]
    password: Secret<String>,
    /// The username when left out.
    #[serde(default)]
    display_name: Option<String>,
    role: Role,
}

/// Make an account
#[utoipa::path(
    tag = "administration",
    security(("bearer" = [])),
    request_body = NewAccount,
    responses((status = 201, description = "Made", body = Account, headers(("ETag" = String))), SignedIn, MayRefuse, MayConflict, TakesBody, Always),
)]
#[post("/admin/users")]
pub(crate) async fn create(
    accounts: web::Data<Accounts>,
    Admin(admin): Admin,
    Body(new): Body<NewAccount>,
) -> Result<HttpResponse, Problem> {
    let registration = Registration {
        username: new.username,
        email: new.email,
        password: new.password,
        display_name: new.display_name,
    };
    let user = accounts.register(registration, new.role, Some(admin.user)).await?;
    Ok(HttpResponse::Created().insert_header((header::ETAG, etag(user.version))).json(Account::from(user)))
}
