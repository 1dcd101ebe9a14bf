//! `GET /auth/sessions`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    clock::Timestamp,
    id::SessionId,
    problem::Problem,
    service::{
        page::{Limit, Page, place_of},
        refusals::{Always, SignedIn, TakesInput},
    },
    token::Identity,
};
use serde::{Deserialize, Serialize};

use crate::{Auth, store::sessions::SessionRow};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100, 50 when left out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Limit,
}

/// A sign-in on one device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Session {
    id: SessionId,
    created_at: Timestamp,
    last_used_at: Timestamp,
    /// From where it was last used.
    #[schema(example = "203.0.113.9")]
    ip: String,
    user_agent: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

/// Where you are signed in
///
/// The newest session first.
#[utoipa::path(
    tag = "session",
    security(("bearer" = [])),
    params(Asked),
    responses((status = 200, description = "A page of your sessions", body = Page<Session>), SignedIn, TakesInput, Always),
)]
#[get("/sessions")]
pub(crate) async fn list(
    auth: web::Data<Auth>,
    identity: Identity,
    web::Query(asked): web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let before = place_of(asked.cursor.as_deref())?;
    let rows = auth.sessions_of(identity.user, before, asked.limit.and_one()).await?;
    let item = |row: SessionRow| Session {
        current: row.id == identity.session,
        id: row.id,
        created_at: row.created_at_ms,
        last_used_at: row.last_used_at_ms,
        ip: row.ip,
        user_agent: row.user_agent,
    };
    Ok(HttpResponse::Ok().json(Page::of(rows, asked.limit, |row| row.id.as_str(), item)))
}
