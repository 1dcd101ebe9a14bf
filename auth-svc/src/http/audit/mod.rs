//! `GET /auth/audit` and `GET /auth/admin/audit`

use actix_web::{HttpResponse, get, web};
use irongate_shared::{
    clock::Timestamp,
    id::UserId,
    problem::Problem,
    service::{
        page::{Limit, Page, place_of},
        refusals::{Always, MayRefuse, SignedIn, TakesInput},
    },
    token::{Admin, Identity},
};
use serde::{Deserialize, Serialize};

use crate::{Auth, store::audit_log::AuditRow};

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

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AskedByAdmin {
    /// Of this user alone.
    user: Option<UserId>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100, 50 when left out.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Limit,
}

/// Something that happened to an account.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct AuditEntry {
    #[schema(example = "018f6b1e-5d3c-7cc1-8a31-3f5f0a9c0b7d")]
    id: String,
    /// What happened; stable, programs may compare it.
    #[schema(example = "signed_in")]
    event: String,
    /// Whose account; null for attempts on names that nobody has.
    user_id: Option<UserId>,
    /// Who did it, where that is somebody else.
    actor_id: Option<UserId>,
    #[schema(example = "203.0.113.9")]
    ip: String,
    user_agent: Option<String>,
    created_at: Timestamp,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id,
            event: row.event,
            user_id: row.user_id,
            actor_id: row.actor_id,
            ip: row.ip,
            user_agent: row.user_agent,
            created_at: row.created_at_ms,
        }
    }
}

/// What happened to your account
///
/// The newest first.
#[utoipa::path(
    tag = "audit",
    security(("bearer" = [])),
    params(Asked),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntry>), SignedIn, TakesInput, Always),
)]
#[get("/audit")]
pub(crate) async fn own(
    auth: web::Data<Auth>,
    identity: Identity,
    web::Query(asked): web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    page(&auth, Some(identity.user), asked.cursor.as_deref(), asked.limit).await
}

/// What happened to everybody's accounts
///
/// For administrators. The newest first.
#[utoipa::path(
    tag = "audit",
    security(("bearer" = [])),
    params(AskedByAdmin),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntry>), SignedIn, MayRefuse, TakesInput, Always),
)]
#[get("/admin/audit")]
pub(crate) async fn all(
    auth: web::Data<Auth>,
    _: Admin,
    web::Query(asked): web::Query<AskedByAdmin>,
) -> Result<HttpResponse, Problem> {
    page(&auth, asked.user, asked.cursor.as_deref(), asked.limit).await
}

async fn page(
    auth: &Auth,
    user: Option<UserId>,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<HttpResponse, Problem> {
    let before: Option<uuid::Uuid> = place_of(cursor)?;
    let rows = auth.audit_page(user, before.map(|id| id.to_string()), limit.and_one()).await?;
    Ok(HttpResponse::Ok().json(Page::of(rows, limit, |row| &row.id, AuditEntry::from)))
}
