//! `POST /auth/token` and `POST /auth/introspect`: for services.

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, http::header, post, web};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use irongate_shared::{
    problem::{Problem, kind},
    service::refusals::{Always, MayRefuse, SignedIn, TakesInput},
    token::{Scope, ServiceIdentity, TokenError, Verifier},
};
use serde::{Deserialize, Serialize};

use crate::Auth;

/// RFC 6749 §4.4.2; the client's id and secret come by HTTP Basic or in here (§2.3.1).
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub(crate) struct TokenRequest {
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// All that the client may, when left out.
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ServiceToken {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 600)]
    expires_in: u64,
    #[schema(example = "events:write users:read")]
    scope: String,
}

/// Id and secret of a client, from `Authorization: Basic`.
pub(crate) struct Basic(Option<(String, String)>);

impl FromRequest for Basic {
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let pair = value.and_then(|value| {
            let (scheme, encoded) = value.split_once(' ')?;
            let decoded =
                STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
            let text = String::from_utf8(decoded).ok()?;
            text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
        });
        std::future::ready(Ok(Self(pair)))
    }
}

/// A token for a service
///
/// OAuth 2 client credentials (RFC 6749 §4.4).
#[utoipa::path(
    tag = "services",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token", body = ServiceToken), SignedIn, TakesInput, Always),
)]
#[post("/token")]
pub(crate) async fn token(
    auth: web::Data<Auth>,
    Basic(basic): Basic,
    form: Result<web::Form<TokenRequest>, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    let form = form.map_err(|_| {
        Problem::new(kind::MALFORMED_REQUEST).detail("Send a form: grant_type=client_credentials.")
    })?;
    let request = form.into_inner();
    if request.grant_type != "client_credentials" {
        return Err(
            Problem::new(kind::INVALID_INPUT).field("grant_type", "Only client_credentials is granted here.")
        );
    }
    let credentials = basic.or_else(|| request.client_id.zip(request.client_secret));
    let (id, secret) = credentials.unwrap_or_default();
    let (minted, scope) = auth.grant(&id, &secret, request.scope.as_deref()).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(ServiceToken {
        access_token: minted.access_token,
        token_type: "Bearer",
        expires_in: minted.expires_in.as_secs(),
        scope,
    }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub(crate) struct Introspection {
    token: String,
}

/// RFC 7662 §2.2: of an invalid token nothing is said but that.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct Introspected {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Bearer")]
    token_type: Option<&'static str>,
}

/// Whether a token is valid at this moment
///
/// For services that cannot verify tokens themselves (RFC 7662); scope `tokens:read`.
#[utoipa::path(
    tag = "services",
    security(("bearer" = [])),
    request_body(content = Introspection, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "What it is worth", body = Introspected), SignedIn, MayRefuse, Always),
)]
#[post("/introspect")]
pub(crate) async fn introspect(
    verifier: web::Data<Verifier>,
    service: ServiceIdentity,
    form: Result<web::Form<Introspection>, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    service.needs(Scope::TokensRead)?;
    let form = form.map_err(|_| Problem::new(kind::MALFORMED_REQUEST).detail("Send a form: token=…"))?;
    let introspected = match verifier.verify(&form.token).await {
        Ok(identity) => Introspected {
            active: true,
            sub: Some(identity.user.to_string()),
            username: Some(identity.username.clone()),
            client_id: None,
            exp: Some(identity.expires_at.as_secs()),
            token_type: Some("Bearer"),
        },
        Err(why @ TokenError::Unavailable(_)) => return Err(why.into()),
        Err(_) => match verifier.verify_service(&form.token).await {
            Ok(service) => {
                Introspected { active: true, client_id: Some(service.client), ..Introspected::default() }
            }
            Err(why @ TokenError::Unavailable(_)) => return Err(why.into()),
            Err(_) => Introspected::default(),
        },
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(introspected))
}
