//! The routing table: longest path first, then the more particular route.

use std::{sync::Arc, time::Duration};

use http::Method;

use crate::{
    config::RateBy,
    exchange::Request,
    guard::{addresses::AddressRule, cors::CorsPolicy, rate::RateLimit},
    upstream::Pool,
};

#[derive(Default)]
pub(crate) struct Table {
    routes: Vec<Arc<Route>>,
}

/// One `[[route]]`, ready for use.
pub(crate) struct Route {
    /// `path`, with the first host in front when it has one: the name in logs and metrics.
    pub(crate) name: Arc<str>,
    pub(crate) prefix: String,
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) methods: Vec<Method>,
    /// Name and value; `None` for "any value".
    pub(crate) headers: Vec<(String, Option<String>)>,
    pub(crate) action: Action,
    pub(crate) limits: Limits,
    pub(crate) addresses: AddressRule,
    pub(crate) identity: Option<RequiredIdentity>,
    pub(crate) cors: Option<CorsPolicy>,
    pub(crate) response_headers: Vec<(String, String)>,
}

pub(crate) enum Action {
    Proxy {
        pool: Arc<Pool>,
        /// What replaces the matched prefix.
        rewrite: Option<String>,
    },
    Files,
    Redirect {
        to: String,
        status: http::StatusCode,
    },
}

pub(crate) struct Limits {
    pub(crate) body: u64,
    pub(crate) answer_timeout: Option<Duration>,
    pub(crate) tunnel_idle: Duration,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) rate_by: RateBy,
}

/// What `auth = "required"` asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequiredIdentity {
    /// One of these, when there are any.
    pub(crate) roles: Vec<String>,
    /// All of these.
    pub(crate) scopes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostPattern {
    Exact(String),
    /// `*.example`: any name below, not the name itself.
    Below(String),
}

impl HostPattern {
    pub(crate) fn parse(text: &str) -> Self {
        match text.strip_prefix('*') {
            Some(suffix) => Self::Below(suffix.to_ascii_lowercase()),
            None => Self::Exact(text.to_ascii_lowercase()),
        }
    }

    fn fits(&self, host: &str) -> bool {
        match self {
            HostPattern::Exact(exact) => exact == host,
            HostPattern::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }
}

/// What looking for a route gave.
pub(crate) enum Found {
    Route(Arc<Route>),
    /// The address exists, the method does not; what is allowed instead.
    WrongMethod(String),
    Nothing,
}

impl Table {
    pub(crate) fn new(mut routes: Vec<Route>) -> Self {
        let particular = |route: &Route| {
            let host = route.hosts.iter().map(|host| match host {
                HostPattern::Exact(_) => 2,
                HostPattern::Below(_) => 1,
            });
            (
                host.max().unwrap_or(0),
                route.prefix.len(),
                route.headers.len(),
                usize::from(!route.methods.is_empty()),
            )
        };
        routes.sort_by_key(|route| std::cmp::Reverse(particular(route)));
        Self { routes: routes.into_iter().map(Arc::new).collect() }
    }

    pub(crate) fn find(&self, request: &Request) -> Found {
        let host = request.client.host.as_str();
        let mut other_methods: Vec<&str> = Vec::new();
        for route in &self.routes {
            let fits = has_prefix(&request.path, &route.prefix)
                && (route.hosts.is_empty() || route.hosts.iter().any(|pattern| pattern.fits(host)))
                && route.headers.iter().all(|(name, value)| match (request.head.fields.get(name), value) {
                    (None, _) => false,
                    (Some(_), None) => true,
                    (Some(own), Some(wanted)) => own == wanted.as_bytes(),
                });
            if !fits {
                continue;
            }
            if route.methods.is_empty() || route.methods.contains(&request.head.method) {
                // A longer path that takes other methods hides a shorter one that takes all.
                return if other_methods.is_empty() {
                    Found::Route(route.clone())
                } else {
                    Found::WrongMethod(other_methods.join(", "))
                };
            }
            if request.head.method == Method::OPTIONS && route.cors.is_some() {
                return Found::Route(route.clone());
            }
            other_methods.extend(route.methods.iter().map(Method::as_str));
        }
        if other_methods.is_empty() { Found::Nothing } else { Found::WrongMethod(other_methods.join(", ")) }
    }
}

/// Prefix on segment boundaries: `/auth` has `/auth` and `/auth/x`, not `/authors`.
fn has_prefix(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `target` with the matched prefix replaced.
pub(super) fn rewritten(target: &str, prefix: &str, replacement: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    let rest = target.get(prefix.len()..).unwrap_or_default();
    let joined = format!("{}{rest}", replacement.trim_end_matches('/'));
    if joined.starts_with('/') { joined } else { format!("/{joined}") }
}

impl Route {
    /// The target to send to the service.
    pub(crate) fn target_for(&self, request: &Request) -> String {
        match &self.action {
            // An escaped prefix (`/%61uth`) has another length than the one that matched: it goes on as it is.
            Action::Proxy { rewrite: Some(to), .. } if has_prefix(request.raw_path(), &self.prefix) => {
                rewritten(&request.head.target, &self.prefix, to)
            }
            _ => request.head.target.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_at_segments() {
        for (path, prefix, fits) in [
            ("/auth", "/auth", true),
            ("/auth/x", "/auth", true),
            ("/auth/", "/auth", true),
            ("/authors", "/auth", false),
            ("/anything", "/", true),
            ("/", "/", true),
            ("/auth", "/auth/", true),
            ("//auth", "/auth", false),
        ] {
            assert_eq!(has_prefix(path, prefix), fits, "{path} under {prefix}");
        }
    }

    #[test]
    fn a_rewrite_replaces_the_prefix_and_keeps_the_rest() {
        assert_eq!(rewritten("/api/v1/x?y=z", "/api", "/"), "/v1/x?y=z");
        assert_eq!(rewritten("/api?y", "/api", "/"), "/?y");
        assert_eq!(rewritten("/api", "/api", "/new/"), "/new");
        assert_eq!(rewritten("/x", "/", "/base"), "/base/x");
    }

    #[test]
    fn host_patterns_fit_names_below_only() {
        assert!(HostPattern::parse("*.example").fits("a.example"));
        assert!(!HostPattern::parse("*.example").fits("example"));
        assert!(!HostPattern::parse("*.example").fits("anexample"));
        assert!(HostPattern::parse("A.Example").fits("a.example"));
    }
}
