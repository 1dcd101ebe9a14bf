//! `POST /auth/password/forgot`

use actix_web::{HttpResponse, post, web};
use irongate_shared::{
    problem::Problem,
    service::{
        Client,
        input::Body,
        refusals::{Always, TakesBody},
    },
};
use serde::Deserialize;

use crate::Auth;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forgotten {
    #[schema(example = "ann@example.org")]
    email: String,
}

/// Ask for a link to choose a new password
///
/// It is mailed to the address, if an account has it. The answer is the same when none does.
#[utoipa::path(
    tag = "password",
    request_body = Forgotten,
    responses((status = 202, description = "If there is such an account, a mail is on its way"), TakesBody, Always),
)]
#[post("/password/forgot")]
pub(crate) async fn forgot(
    auth: web::Data<Auth>,
    client: Client,
    Body(forgotten): Body<Forgotten>,
) -> Result<HttpResponse, Problem> {
    auth.may_ask_for_mail(&client).await?;
    let worker = auth.clone();
    // SECURITY: user enumeration by time: everything that depends on the address happens after the answer.
    auth.afterwards.run(async move {
        if let Err(why) = worker.mail_reset_link(&forgotten.email).await {
            tracing::error!(reason = %why, "a reset link could not be mailed");
        }
    })?;
    Ok(HttpResponse::Accepted().finish())
}
