//! Services and what they may: OAuth 2 client credentials.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use irongate_shared::{
    config::Platform,
    peer::{CLIENTS, client_secret},
    problem::{Problem, kind},
    secret::{Key, Secret},
    token::Scope,
};

use crate::{
    Auth,
    token::{Minted, SignerError},
};

/// The services of this installation.
pub(crate) struct Clients(HashMap<&'static str, (Secret<Key>, &'static [Scope])>);

/// Why a service got no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GrantError {
    #[error("no such client, or another secret")]
    UnknownClient,
    #[error("the client may not have the scope `{0}`")]
    Scope(String),
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl From<GrantError> for Problem {
    fn from(why: GrantError) -> Self {
        match why {
            GrantError::UnknownClient => Self::new(kind::UNAUTHENTICATED)
                .detail("The client's id or secret is wrong.")
                .challenge(r#"Basic realm="irongate""#),
            GrantError::Scope(scope) => {
                Self::new(kind::INVALID_INPUT).field("scope", format!("This client may not have `{scope}`."))
            }
            GrantError::Signer(why) => why.into(),
        }
    }
}

impl Clients {
    /// Reads each client's secret; makes those that nobody has needed yet.
    pub(crate) fn installed(platform: &Platform) -> std::io::Result<Self> {
        let read =
            |(id, scopes): (&'static str, &'static [Scope])| Ok((id, (client_secret(platform, id)?, scopes)));
        CLIENTS.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    fn scopes_of(&self, id: &str, secret: &str) -> Option<&'static [Scope]> {
        let (expected, scopes) = self.0.get(id)?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?;
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.expose(), &secret).ok()?;
        Some(scopes)
    }
}

impl Auth {
    /// A token for the service `id`, of all scopes that it may have or of those it asks for; and these.
    pub(crate) async fn grant(
        &self,
        id: &str,
        secret: &str,
        asked: Option<&str>,
    ) -> Result<(Minted, String), GrantError> {
        let held = self.clients.scopes_of(id, secret).ok_or(GrantError::UnknownClient)?;
        let held: Vec<_> = held.iter().map(|scope| scope.as_str()).collect();
        let granted: Vec<_> = match asked {
            None => held,
            Some(asked) => {
                let asked: Vec<_> = asked.split_whitespace().collect();
                if let Some(foreign) = asked.iter().find(|scope| !held.contains(scope)) {
                    return Err(GrantError::Scope((*foreign).to_owned()));
                }
                asked
            }
        };
        let scope = granted.join(" ");
        Ok((self.signer.mint_for_service(id, &scope).await?, scope))
    }
}
