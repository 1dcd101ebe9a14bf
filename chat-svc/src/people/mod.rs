//! Who users are, as user-svc says: asked through the gateway when chat-svc has not met somebody yet.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use anyhow::Context as _;
use irongate_shared::{config::Platform, id::UserId};
use reqwest::{Certificate, Client};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::room::Profile;

/// How long user-svc may take; somebody waits for the answer.
const WAIT: Duration = Duration::from_secs(3);

/// The way to user-svc.
pub(crate) struct People {
    gateway: Url,
    /// The installation's own certificate authority, which no system knows.
    authority: PathBuf,
    client: OnceLock<Client>,
}

#[derive(Serialize)]
struct Lookup {
    ids: [UserId; 1],
}

#[derive(Deserialize)]
struct Found {
    items: Vec<Profile>,
}

impl People {
    pub(crate) fn new(platform: &Platform) -> Self {
        Self {
            gateway: platform.gateway.clone(),
            authority: platform.data.join("tls").join("authority.pem"),
            client: OnceLock::new(),
        }
    }

    /// What user-svc says of a user, asked with the token of the one who wants to know; `None` when there is no such
    /// user.
    ///
    /// # Errors
    /// user-svc or the gateway is away, or refuses.
    pub(crate) async fn look_up(&self, user: UserId, token: &str) -> anyhow::Result<Option<Profile>> {
        let url = self.gateway.join("/user/lookup").context("the gateway's address")?;
        let body = serde_json::to_vec(&Lookup { ids: [user] })?;
        let answer = self
            .client()?
            .post(url)
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .context("asking user-svc for a profile")?;
        let found: Found = serde_json::from_slice(&answer.bytes().await?).context("user-svc's answer")?;
        Ok(found.items.into_iter().find(|profile| profile.id == user))
    }

    /// Made at the first use, and kept once the authority is there: at the first start the gateway makes it while we
    /// start.
    fn client(&self) -> anyhow::Result<Client> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let builder = Client::builder().timeout(WAIT);
        match std::fs::read(&self.authority) {
            Ok(pem) => {
                let client = builder.add_root_certificate(Certificate::from_pem(&pem)?).build()?;
                Ok(self.client.get_or_init(|| client).clone())
            }
            // Then the gateway has a certificate that the system knows, or speaks plain HTTP inside a cluster.
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(builder.build()?),
            Err(why) => Err(why).with_context(|| self.authority.display().to_string()),
        }
    }
}
