//! A system as people reach it, whoever started it.

use std::{env, fs};

use reqwest::{Certificate, Client};

use super::{System, system::LIMIT};

pub(crate) trait Site {
    /// The port of the application.
    fn https(&self) -> u16;

    /// The authority's certificate, as PEM.
    fn authority(&self) -> Vec<u8>;

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.https())
    }

    /// A client that trusts the system's own authority and nobody else, keeps cookies, follows no redirect.
    fn browserlike(&self) -> Client {
        browserlike(&self.authority())
    }
}

pub(super) fn browserlike(authority: &[u8]) -> Client {
    Client::builder()
        .tls_certs_only([Certificate::from_pem(authority).unwrap()])
        .redirect(reqwest::redirect::Policy::none())
        .cookie_store(true)
        .timeout(LIMIT)
        .build()
        .unwrap()
}

impl Site for System {
    fn https(&self) -> u16 {
        self.setup.https
    }

    fn authority(&self) -> Vec<u8> {
        Self::authority(self)
    }
}

/// A port of this machine behind which a system runs already.
pub(crate) struct Door {
    https: u16,
    authority: Vec<u8>,
}

impl Door {
    /// Another way into a system than its own port.
    pub(crate) fn to(system: &System, https: u16) -> Self {
        Self { https, authority: system.authority() }
    }

    /// At `IRONGATE_SYSTEM_URL`, under the authority whose certificate is in the file `IRONGATE_SYSTEM_AUTHORITY`.
    pub(crate) fn from_env() -> Self {
        irongate_shared::install_crypto_provider();
        let url = env::var("IRONGATE_SYSTEM_URL").expect("IRONGATE_SYSTEM_URL says where the system is");
        let port = url.strip_prefix("https://localhost:").and_then(|port| port.parse().ok());
        let authority =
            env::var("IRONGATE_SYSTEM_AUTHORITY").expect("IRONGATE_SYSTEM_AUTHORITY names a file");
        Self {
            https: port.unwrap_or_else(|| panic!("{url} is not https://localhost:PORT")),
            authority: fs::read(authority).unwrap(),
        }
    }
}

impl Site for Door {
    fn https(&self) -> u16 {
        self.https
    }

    fn authority(&self) -> Vec<u8> {
        self.authority.clone()
    }
}
