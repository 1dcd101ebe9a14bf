//! Who the caller is, where a route asks: the same verification as in the services.
//!
//! The database is opened by the first request that needs it and never before: a gateway in front of
//! services that check tokens themselves runs without one.

use irongate_shared::{
    clock::Clock,
    config::Platform,
    db::Database,
    token::{TokenError, Verifier},
};
use tokio::sync::OnceCell;

use crate::{
    exchange::{Request, Subject},
    fault::{ClientFault, Fault, OwnFault},
    route::RequiredIdentity,
};

const CONNECTIONS: u32 = 4;

pub(crate) struct Identities {
    platform: Platform,
    verifier: OnceCell<Verifier>,
}

impl Identities {
    pub(crate) fn new(platform: Platform) -> Self {
        Self { platform, verifier: OnceCell::new() }
    }

    /// The caller, when the request carries a valid token with the rights that are asked for.
    pub(crate) async fn require(&self, request: &Request, rule: &RequiredIdentity) -> Result<Subject, Fault> {
        let token = bearer(request).ok_or(ClientFault::NoToken)?;
        let verifier = self.verifier.get_or_try_init(|| self.open()).await?;
        let subject = match verifier.verify(token).await {
            Ok(identity) => Subject {
                id: identity.user.to_string(),
                session: Some(identity.session.to_string()),
                roles: identity.roles.iter().map(|role| role.as_str().to_owned()).collect(),
                scopes: identity.scopes.clone(),
            },
            // Where nothing says what a service may do, its token opens nothing.
            Err(refused @ TokenError::Invalid(_)) if !rule.scopes.is_empty() => {
                let service = verifier.verify_service(token).await.map_err(|_| fault_of(refused))?;
                Subject { id: service.client, session: None, roles: Vec::new(), scopes: service.scopes }
            }
            Err(error) => return Err(fault_of(error)),
        };
        if !rule.scopes.iter().all(|scope| subject.scopes.contains(scope)) {
            return Err(ClientFault::LacksScope(rule.scopes.join(" ")).into());
        }
        if !rule.roles.is_empty() && !rule.roles.iter().any(|role| subject.roles.contains(role)) {
            return Err(ClientFault::LacksRight(format!("the role {}", rule.roles.join(" or "))).into());
        }
        Ok(subject)
    }

    async fn open(&self) -> Result<Verifier, Fault> {
        let database = Database::open(&self.platform.database, CONNECTIONS)
            .await
            .map_err(|error| OwnFault::Identity(error.to_string()))?;
        let verifier = Verifier::new(database, &self.platform.issuer(), Clock::system());
        let hurried = verifier.clone().hurried_by(self.platform.redis.as_ref());
        Ok(hurried.unwrap_or_else(|error| {
            tracing::warn!(reason = %error, "REDIS_URL is of no use; revocations are read from the database alone");
            verifier
        }))
    }
}

fn fault_of(error: TokenError) -> Fault {
    match error {
        TokenError::Missing => ClientFault::NoToken.into(),
        TokenError::Unavailable(cause) => OwnFault::Identity(cause.to_string()).into(),
        TokenError::Invalid(_) | TokenError::Expired | TokenError::Revoked => {
            ClientFault::BadToken(error.to_string()).into()
        }
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1).
pub(crate) fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.head.fields.text("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
