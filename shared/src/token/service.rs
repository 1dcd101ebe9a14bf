//! Tokens of services: what one service shows another (OAuth 2 client credentials, RFC 6749 §4.4).

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::{Deserialize, Serialize};

use super::{Identity, TokenError, Verifier, identity::bearer};
use crate::{
    id::TokenId,
    problem::{Problem, kind},
};

/// The claims of a service's access token. A user's lacks `client_id`, a service's lacks `sid`: neither passes for
/// the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceClaims {
    pub iss: String,
    /// The client id, as RFC 9068 §2.2 has it where no user takes part.
    pub sub: String,
    pub client_id: String,
    pub aud: String,
    pub exp: i64,
    pub iat: i64,
    pub nbf: i64,
    pub jti: TokenId,
    /// Space-separated.
    pub scope: String,
}

/// What a service may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Tell another service what happened.
    EventsWrite,
    /// Look users up by id.
    UsersRead,
    /// Ask whether a token is valid.
    TokensRead,
}

impl Scope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventsWrite => "events:write",
            Self::UsersRead => "users:read",
            Self::TokensRead => "tokens:read",
        }
    }
}

/// The service behind a valid token. As an extractor it answers 401 to everybody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceIdentity {
    pub client: String,
    pub scopes: Vec<String>,
}

impl ServiceIdentity {
    pub(super) fn from_claims(claims: &ServiceClaims) -> Self {
        Self {
            client: claims.client_id.clone(),
            scopes: claims.scope.split_ascii_whitespace().map(str::to_owned).collect(),
        }
    }

    /// # Errors
    /// 403 without the scope.
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.iter().any(|held| held == scope.as_str()) {
            return Ok(());
        }
        Err(Problem::new(kind::FORBIDDEN).detail(format!("This takes a token of scope {}.", scope.as_str())))
    }
}

impl FromRequest for ServiceIdentity {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let verifier = request.app_data::<web::Data<Verifier>>().cloned();
        let token = bearer(request).map(str::to_owned);
        Box::pin(async move {
            let verifier =
                verifier.ok_or_else(|| Problem::internal(anyhow::anyhow!("no Verifier in app_data")))?;
            Ok(verifier.verify_service(&token.ok_or(TokenError::Missing)?).await?)
        })
    }
}

/// Whoever shows a valid token: a user or a service.
#[derive(Debug, Clone)]
pub enum Caller {
    User(Identity),
    Service(ServiceIdentity),
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = Identity::from_request(request, payload);
        let service = ServiceIdentity::from_request(request, payload);
        Box::pin(async move {
            match user.await {
                Ok(identity) => Ok(Self::User(identity)),
                Err(refused) if refused.kind == kind::UNAUTHENTICATED => {
                    service.await.map(Self::Service).map_err(|_| refused)
                }
                Err(problem) => Err(problem),
            }
        })
    }
}
