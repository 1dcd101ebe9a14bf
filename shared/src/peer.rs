//! How a service asks another: through the gateway, as any client would, with a token of its own.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Certificate, Client, Response, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    config::Platform,
    secret::{self, Key, Secret},
    token::Scope,
};

/// How long another service may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The services that ask others, and what each may. The secret of each is made at first start (`shared::secret`).
pub const CLIENTS: [(&str, &[Scope]); 4] = [
    ("auth-svc", &[Scope::EventsWrite, Scope::UsersRead]),
    ("user-svc", &[Scope::EventsWrite]),
    ("chat-svc", &[Scope::EventsWrite, Scope::UsersRead]),
    ("gateway", &[Scope::TokensRead]),
];

/// The installation's secret of a client.
///
/// # Errors
/// As [`secret::installed`].
pub fn client_secret(platform: &Platform, client: &str) -> std::io::Result<Secret<Key>> {
    secret::installed(&platform.secrets, &format!("client-{client}.key"))
}

/// A service that asks others.
pub struct Peer {
    id: &'static str,
    secret: Secret<Key>,
    gateway: Url,
    /// The certificate of a gateway that is its own authority.
    authority: PathBuf,
    held: Mutex<Held>,
}

/// What is made at first need and thrown away when it does not do.
#[derive(Default)]
struct Held {
    client: Option<Client>,
    token: Option<(String, Instant)>,
}

#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    #[error("the gateway does not answer")]
    Away(#[source] reqwest::Error),
    #[error("no token was given: {0}")]
    NoToken(StatusCode),
    #[error("answered {0}")]
    Refused(StatusCode),
}

impl PeerError {
    /// Whether the same request can succeed later without anybody mending anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Away(_) | Self::NoToken(_) => true,
            Self::Refused(status) => {
                status.is_server_error() || matches!(status.as_u16(), 401 | 404 | 408 | 429)
            }
        }
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Peer {
    /// `id` is one of [`CLIENTS`]. Connects to nothing yet: the gateway may come up later.
    ///
    /// # Errors
    /// The client's secret cannot be made or read.
    pub fn new(platform: &Platform, id: &'static str) -> std::io::Result<Self> {
        Ok(Self {
            id,
            secret: client_secret(platform, id)?,
            gateway: platform.internal.clone(),
            authority: platform.authority.clone(),
            held: Mutex::default(),
        })
    }

    /// Sends `body` to `path` of another service; the answer, if it is a success.
    ///
    /// # Errors
    /// Who is away, or what the other service said.
    pub async fn post(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<Response, PeerError> {
        let token = self.token().await?;
        let sent = self.client()?.post(self.url(path)).bearer_auth(token).json(body).send().await;
        let answer = self.noticed(sent)?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            status => {
                if status == StatusCode::UNAUTHORIZED {
                    self.held().token = None;
                }
                Err(PeerError::Refused(status))
            }
        }
    }

    async fn token(&self) -> Result<String, PeerError> {
        let held = self.held().token.clone();
        if let Some((token, until)) = held
            && Instant::now() < until
        {
            return Ok(token);
        }
        let secret = URL_SAFE_NO_PAD.encode(self.secret.expose());
        let asked = self
            .client()?
            .post(self.url("/auth/token"))
            .basic_auth(self.id, Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials")
            .send()
            .await;
        let answer = self.noticed(asked)?;
        if !answer.status().is_success() {
            return Err(PeerError::NoToken(answer.status()));
        }
        let granted: Granted = answer.json().await.map_err(PeerError::Away)?;
        // Renewed well before it runs out.
        let until = Instant::now() + Duration::from_secs(granted.expires_in) * 3 / 4;
        self.held().token = Some((granted.access_token.clone(), until));
        Ok(granted.access_token)
    }

    fn client(&self) -> Result<Client, PeerError> {
        let mut held = self.held();
        if let Some(client) = &held.client {
            return Ok(client.clone());
        }
        let mut builder = Client::builder().timeout(PATIENCE).connect_timeout(PATIENCE / 2);
        // Read anew with every client: the gateway makes it at its own first start.
        if let Some(authority) =
            std::fs::read(&self.authority).ok().and_then(|pem| Certificate::from_pem(&pem).ok())
        {
            builder = builder.tls_certs_merge([authority]);
        }
        let client = builder.build().map_err(PeerError::Away)?;
        held.client = Some(client.clone());
        Ok(client)
    }

    /// A client that could not connect may lack an authority made since.
    fn noticed(&self, sent: reqwest::Result<Response>) -> Result<Response, PeerError> {
        sent.map_err(|why| {
            self.held().client = None;
            PeerError::Away(why)
        })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.gateway.clone();
        url.set_path(path);
        url
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
