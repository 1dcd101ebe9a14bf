//! `GET /auth/.well-known/jwks.json`

use actix_web::{HttpResponse, get, http::header, web};
use irongate_shared::{problem::Problem, service::refusals::Always};

use crate::Auth;

/// Public keys
///
/// Every key that a valid access token may be signed with (RFC 7517), by `kid`.
#[utoipa::path(
    tag = "keys",
    responses((status = 200, description = "A JWK set", body = Object, example = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "…", "x": "…"}]})), Always),
)]
#[get("/.well-known/jwks.json")]
pub(crate) async fn jwks(auth: web::Data<Auth>) -> Result<HttpResponse, Problem> {
    let keys = auth.signer.published().await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(keys))
}
