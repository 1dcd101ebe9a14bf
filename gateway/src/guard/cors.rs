//! Which pages of other origins may call a route (Fetch standard, CORS protocol).

use http::{Method, StatusCode};

use crate::{
    exchange::Request,
    fault::{ClientFault, Fault},
    wire::Fields,
};

#[derive(Clone, Debug)]
pub(crate) struct CorsPolicy {
    /// `None`: every origin, without credentials.
    pub(crate) origins: Option<Vec<String>>,
    pub(crate) methods: String,
    pub(crate) headers: String,
    pub(crate) expose: String,
    pub(crate) credentials: bool,
    pub(crate) max_age: String,
}

/// What CORS says about one request.
#[derive(Debug, PartialEq)]
pub(crate) enum Cors {
    /// Not a request of another origin's page.
    NotAsked,
    /// Answer it; these fields go with the answer.
    Allowed,
    /// A preflight: answered here, with this status and no body.
    Preflight(StatusCode),
}

impl CorsPolicy {
    /// Decides, and puts the fields that belong on the answer into `added`.
    pub(crate) fn apply(&self, request: &Request, added: &mut Fields) -> Result<Cors, Fault> {
        // SECURITY: cache poisoning. The answer depends on Origin, also when there is none.
        if self.origins.is_some() {
            added.push("vary", "Origin");
        }
        let Some(origin) = request.head.fields.text("origin") else {
            return Ok(Cors::NotAsked);
        };
        let is_preflight = request.head.method == Method::OPTIONS
            && request.head.fields.has("access-control-request-method");
        let known = self.origins.as_ref().is_none_or(|origins| origins.iter().any(|own| own == origin));
        if !known {
            // A simple request of a stranger is answered without the fields (the browser then hides
            // the answer); its preflight is refused, so that the real request is never sent.
            return if is_preflight { Err(ClientFault::OriginDenied.into()) } else { Ok(Cors::NotAsked) };
        }
        match &self.origins {
            None => added.push("access-control-allow-origin", "*"),
            Some(_) => {
                added.push("access-control-allow-origin", origin);
                if self.credentials {
                    added.push("access-control-allow-credentials", "true");
                }
            }
        }
        if is_preflight {
            added.push("access-control-allow-methods", &self.methods);
            added.push("access-control-allow-headers", &self.headers);
            added.push("access-control-max-age", &self.max_age);
            return Ok(Cors::Preflight(StatusCode::NO_CONTENT));
        }
        if !self.expose.is_empty() {
            added.push("access-control-expose-headers", &self.expose);
        }
        Ok(Cors::Allowed)
    }
}
