//! `POST /user/register`

use actix_web::{HttpResponse, http::header, post, web};
use irongate_shared::{
    account::User,
    problem::Problem,
    service::{
        input::Body,
        refusals::{Always, MayConflict, TakesBody},
    },
    token::Role,
};

use super::version::etag;
use crate::account::{Accounts, Registration};

/// Register
///
/// Makes an account; sign in with it at `POST /auth/login`.
#[utoipa::path(
    tag = "registration",
    request_body = Registration,
    responses((status = 201, description = "Registered", body = User, headers(("ETag" = String))), MayConflict, TakesBody, Always),
)]
#[post("/register")]
pub(crate) async fn register(
    accounts: web::Data<Accounts>,
    Body(registration): Body<Registration>,
) -> Result<HttpResponse, Problem> {
    let user = accounts.register(registration, Role::User, None).await?;
    Ok(HttpResponse::Created().insert_header((header::ETAG, etag(user.version))).json(user.document()))
}
