//! `GET /user/rules`

use actix_web::{HttpResponse, get, http::header};
use irongate_shared::service::refusals::Always;

use crate::account::fields::Rules;

/// What names and passwords must look like
///
/// For forms that check while one types.
#[utoipa::path(tag = "registration", responses((status = 200, description = "The rules", body = Rules), Always))]
#[get("/rules")]
pub(crate) async fn rules() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "max-age=300")).json(Rules::get())
}
