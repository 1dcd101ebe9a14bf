//! Who sends a request, as handlers take it.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};

use super::{Claims, Role, TokenError, Verifier};
use crate::{
    clock::Timestamp,
    id::{SessionId, TokenId, UserId},
    problem::{Kind, Problem, kind},
};

const SIGN_IN_AGAIN: Kind = Kind::new("sign-in-again", 403, "This asks for a recent sign-in");

/// The user behind a valid access token. As an extractor it answers 401 to everybody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub user: UserId,
    pub session: SessionId,
    pub token: TokenId,
    pub roles: Vec<Role>,
    /// What the token is good for.
    pub scopes: Vec<String>,
    /// As of the token's issue, as are the next two: for showing, not for deciding.
    pub username: String,
    pub display_name: String,
    pub avatar_url: Option<String>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Identity {
    pub fn is_admin(&self) -> bool {
        self.roles.contains(&Role::Admin)
    }

    /// When its owner last showed a password or a passkey: a session keeps its id, and the id its time.
    pub fn signed_in_at(&self) -> Timestamp {
        time_of(self.session.as_uuid())
    }

    /// For what a stolen access token must not be able to do: the owner must have signed in within
    /// [`Identity::RECENT`].
    ///
    /// # Errors
    /// 403, which asks for that.
    pub fn signed_in_recently(&self, now: Timestamp) -> Result<(), Problem> {
        if now.since(self.signed_in_at()) <= Self::RECENT {
            return Ok(());
        }
        Err(Problem::new(SIGN_IN_AGAIN).detail("To be safe, sign out, sign in again, and repeat this."))
    }

    /// How long a sign-in counts as recent.
    pub const RECENT: Duration = Duration::from_secs(30 * 60);

    pub(super) fn from_claims(claims: Claims) -> Self {
        Self {
            user: claims.sub,
            session: claims.sid,
            token: claims.jti,
            roles: claims.roles,
            scopes: claims.scope.split_ascii_whitespace().map(str::to_owned).collect(),
            username: claims.preferred_username,
            display_name: claims.name,
            avatar_url: claims.picture,
            issued_at: time_of(claims.jti.as_uuid()),
            expires_at: Timestamp::from_secs(claims.exp),
        }
    }
}

/// The millisecond that a UUIDv7 was made in.
fn time_of(id: uuid::Uuid) -> Timestamp {
    let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
    Timestamp::from_millis(i64::try_from(seconds).unwrap_or(0) * 1000 + i64::from(nanos / 1_000_000))
}

impl FromRequest for Identity {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let verifier = request.app_data::<web::Data<Verifier>>().cloned();
        let token = bearer(request).map(str::to_owned);
        Box::pin(async move {
            let verifier =
                verifier.ok_or_else(|| Problem::internal(anyhow::anyhow!("no Verifier in app_data")))?;
            let token = token.ok_or(TokenError::Missing)?;
            let identity = verifier.verify(&token).await?;
            Ok(Arc::unwrap_or_clone(identity))
        })
    }
}

/// An [`Identity`] with the role admin; 403 for other users.
#[derive(Debug, Clone)]
pub struct Admin(pub Identity);

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let identity = Identity::from_request(request, payload);
        Box::pin(async move {
            let identity = identity.await?;
            if identity.is_admin() {
                Ok(Self(identity))
            } else {
                Err(Problem::new(kind::FORBIDDEN).detail("This is for administrators."))
            }
        })
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme's case does not matter (RFC 9110 §11.1).
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start())
}
