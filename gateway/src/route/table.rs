//! The routing table: longest path first, then the more particular route.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::Method;

use crate::{
    config::RateBy,
    exchange::Request,
    guard::{addresses::AddressRule, cors::CorsPolicy, rate::RateLimit},
    lane::compress::Rule,
    upstream::Pool,
};

#[derive(Default)]
pub(crate) struct Table {
    hosts: HashMap<String, Paths>,
    /// By what follows the star, with its dot.
    hosts_below: HashMap<String, Paths>,
    any_host: Paths,
}

/// The routes of one host.
#[derive(Default)]
struct Paths {
    /// Without a slash at the end.
    by_prefix: HashMap<String, Vec<Arc<Route>>>,
    /// Bytes of the longest one.
    longest: usize,
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
    pub(crate) compression: Option<Rule>,
    pub(crate) cors: Option<CorsPolicy>,
    /// Set on requests to the service; names in lower case, texts with places to fill in.
    pub(crate) request_headers: Vec<(String, String)>,
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
        // Within one host and path, the more particular first.
        let particular = |route: &Route| (route.headers.len(), usize::from(!route.methods.is_empty()));
        routes.sort_by_key(|route| std::cmp::Reverse(particular(route)));
        let mut table = Self::default();
        for route in routes.into_iter().map(Arc::new) {
            if route.hosts.is_empty() {
                table.any_host.add(&route);
            }
            for pattern in &route.hosts {
                let paths = match pattern {
                    HostPattern::Exact(host) => table.hosts.entry(host.clone()).or_default(),
                    HostPattern::Below(suffix) => table.hosts_below.entry(suffix.clone()).or_default(),
                };
                paths.add(&route);
            }
        }
        table
    }

    pub(crate) fn find(&self, request: &Request) -> Found {
        let mut other_methods: Vec<&str> = Vec::new();
        for route in self.candidates(request.host(), &request.path) {
            let fits =
                route.headers.iter().all(|(name, value)| match (request.head.fields.get(name), value) {
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

    /// The routes whose host and path fit: the most particular host first, then the longest path. Each step is a
    /// look-up, so that a thousand routes cost a request what three do.
    fn candidates<'t>(&'t self, host: &'t str, path: &'t str) -> impl Iterator<Item = &'t Arc<Route>> {
        let below = (!self.hosts_below.is_empty())
            .then(|| {
                host.match_indices('.').filter_map(|(dot, _)| {
                    // The star stands for something.
                    self.hosts_below.get(host.get(dot..)?).filter(|_| dot > 0)
                })
            })
            .into_iter()
            .flatten();
        self.hosts
            .get(host)
            .into_iter()
            .chain(below)
            .chain([&self.any_host])
            .flat_map(|paths| paths.over(path))
    }
}

impl Paths {
    fn add(&mut self, route: &Arc<Route>) {
        let prefix = route.prefix.trim_end_matches('/');
        self.longest = self.longest.max(prefix.len());
        self.by_prefix.entry(prefix.to_owned()).or_default().push(route.clone());
    }

    /// Routes over `path`, the longest prefix first.
    fn over<'t>(&'t self, path: &'t str) -> impl Iterator<Item = &'t Arc<Route>> {
        // Nothing is longer than the longest prefix, so a path of a thousand slashes costs no more either.
        let start = path.as_bytes().get(..self.longest + 1).unwrap_or(path.as_bytes());
        let whole = (path.len() <= self.longest).then_some(path);
        let shorter = memchr::memrchr_iter(b'/', start).filter_map(|slash| path.get(..slash));
        whole.into_iter().chain(shorter).filter_map(|prefix| self.by_prefix.get(prefix)).flatten()
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

    fn route(host: &str, prefix: &str) -> Route {
        Route {
            name: format!("{host}{prefix}").into(),
            prefix: prefix.to_owned(),
            hosts: (!host.is_empty()).then(|| HostPattern::parse(host)).into_iter().collect(),
            methods: Vec::new(),
            headers: Vec::new(),
            action: Action::Files,
            limits: Limits {
                body: 0,
                answer_timeout: None,
                tunnel_idle: Duration::ZERO,
                rate: None,
                rate_by: RateBy::Address,
            },
            addresses: AddressRule::default(),
            identity: None,
            compression: None,
            cors: None,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
        }
    }

    fn names(table: &Table, host: &str, path: &str) -> Vec<String> {
        table.candidates(host, path).map(|route| route.name.to_string()).collect()
    }

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
            let table = Table::new(vec![route("", prefix)]);
            assert_eq!(!names(&table, "a", path).is_empty(), fits, "{path} under {prefix}");
            assert_eq!(has_prefix(path, prefix), fits, "{path} under {prefix}");
        }
    }

    #[test]
    fn the_most_particular_host_comes_first_then_the_longest_path() {
        let table = Table::new(
            [
                ("", "/"),
                ("", "/a/b"),
                ("", "/a"),
                ("*.example", "/"),
                ("*.b.example", "/"),
                ("a.b.example", "/a"),
                ("other", "/"),
            ]
            .map(|(host, prefix)| route(host, prefix))
            .into(),
        );
        assert_eq!(
            names(&table, "a.b.example", "/a/b/c"),
            ["a.b.example/a", "*.b.example/", "*.example/", "/a/b", "/a", "/"]
        );
        assert_eq!(names(&table, "example", "/a/bc"), ["/a", "/"]);
    }

    #[test]
    fn a_thousand_routes_are_no_more_to_look_at_than_three() {
        let mut routes: Vec<Route> = (0..1000).map(|nth| route("", &format!("/service-{nth}"))).collect();
        routes.extend((0..1000).map(|nth| route(&format!("host-{nth}.example"), "/")));
        routes.push(route("", "/"));
        let table = Table::new(routes);
        assert_eq!(names(&table, "localhost", "/service-999/x"), ["/service-999", "/"]);
        assert_eq!(names(&table, "host-7.example", "/service-999/x").len(), 3);
        assert_eq!(names(&table, "localhost", &"/".repeat(8000)).len(), 1);
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
        let fits =
            |pattern: &str, host: &str| !names(&Table::new(vec![route(pattern, "/")]), host, "/").is_empty();
        assert!(fits("*.example", "a.example"));
        assert!(fits("*.example", "a.b.example"));
        assert!(!fits("*.example", "example"));
        assert!(!fits("*.example", "anexample"));
        assert!(fits("A.Example", "a.example"));
    }
}
