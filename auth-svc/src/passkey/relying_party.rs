//! Who we are to browsers: the domain that passkeys are bound to, and the origins at which they may be used.

use anyhow::Context as _;
use url::Url;
use webauthn_rs::{Webauthn, WebauthnBuilder};

use super::ceremony::LIFETIME;
use crate::config::Settings;

/// What browsers show as the asker.
const NAME: &str = "Irongate";

/// Checks authenticators' answers for one domain. By configuration, not by the request's `Host`: what is bound to the
/// wrong domain is lost.
pub(crate) struct RelyingParty(Webauthn);

impl RelyingParty {
    /// The gateway's domain unless the settings name another. An address without a domain cannot have passkeys in any
    /// browser, so it has those of `localhost`.
    pub(crate) fn new(settings: &Settings, gateway: &Url) -> anyhow::Result<Self> {
        let mut home = gateway.clone();
        if home.domain().is_none() {
            home = Url::parse("https://localhost")?;
        }
        let domain = settings.passkey_domain.as_deref().or(home.domain()).unwrap_or_default().to_owned();
        let mut builder = WebauthnBuilder::new(&domain, &home)
            .with_context(|| format!("passkey_domain {domain} is neither the host of {home} nor above it"))?
            .rp_name(NAME)
            .timeout(LIFETIME)
            // On a laptop the port changes with every second installation.
            .allow_any_port(domain == "localhost");
        for origin in &settings.passkey_origins {
            let origin =
                Url::parse(origin).with_context(|| format!("passkey_origins: {origin} is no address"))?;
            builder = builder.append_allowed_origin(&origin);
        }
        Ok(Self(builder.build().context("passkeys")?))
    }

    pub(super) fn webauthn(&self) -> &Webauthn {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(gateway: &str, settings: &Settings) -> anyhow::Result<RelyingParty> {
        RelyingParty::new(settings, &Url::parse(gateway).unwrap())
    }

    #[test]
    fn the_domain_is_the_gateways_or_one_above_it() {
        let above = Settings { passkey_domain: Some("example.org".to_owned()), ..Settings::default() };

        assert!(at("https://chat.example.org", &Settings::default()).is_ok());
        assert!(at("https://192.0.2.1:8443", &Settings::default()).is_ok());
        assert!(at("https://chat.example.org", &above).is_ok());
        let wrong = at("https://example.com", &above).err().unwrap();
        assert!(wrong.to_string().contains("example.org"), "{wrong}");
    }
}
