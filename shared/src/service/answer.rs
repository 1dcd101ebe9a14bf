//! Answers that are the same in every service: problems, health, and "nothing here".

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{StatusCode, header},
    web,
};

use super::{describe::Description, request};
use crate::{
    health::{Health, Report},
    problem::{self, Problem, kind},
};

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The one place where a service's error becomes an answer, and where a 5xx is logged with its cause.
    fn error_response(&self) -> HttpResponse {
        if self.kind.status >= 500 {
            let cause = self.cause.as_ref().map(|cause| format!("{cause:#}"));
            tracing::error!(problem = self.kind.slug, status = self.kind.status, cause, "request failed");
        }
        let current = request::current();
        let (instance, id) = current.as_deref().map(|c| (c.path.as_str(), c.id.as_str())).unzip();
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after_secs() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Some(challenge) = self.challenge {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((header::ALLOW, methods.as_str()));
        }
        response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type(problem::MEDIA_TYPE)
            .body(serde_json::to_string(&self.document(instance, id)).unwrap_or_default())
    }
}

pub(super) fn nul_in_target() -> Problem {
    Problem::new(kind::MALFORMED_REQUEST).detail("The address holds a NUL character.")
}

pub(super) async fn health(health: web::Data<Health>) -> HttpResponse {
    let report: &Report = &*health.report().await;
    let status = StatusCode::from_u16(report.http_status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "no-store")).json(report)
}

pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(serde_json::json!({ "status": "ok" }))
}

/// 404, or 405 with `Allow` when the address exists for other methods: actix tells the two apart only within one
/// resource, and ours hold one method each.
pub(super) async fn nothing_here(request: HttpRequest, description: web::Data<Description>) -> HttpResponse {
    let methods = description.methods_of(request.path());
    let problem = if methods.is_empty() {
        Problem::new(kind::NOT_FOUND).detail("Check the address; the API is described at …/openapi.json.")
    } else {
        Problem::new(kind::METHOD_NOT_ALLOWED).allow(methods.join(", "))
    };
    problem.error_response()
}
