//! From settings as typed to settings that can run. All mistakes are found in one pass, and each says
//! what to write instead.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderName, Method, StatusCode};
use irongate_shared::config::{ConfigError, ConfigErrors, Network, Period};
use rustls::pki_types::ServerName;

use super::{AcmeChallenge, Cors, RateBy, Settings, TlsMode, words};
use crate::{
    guard::{addresses::AddressRule, cors::CorsPolicy, rate::RateLimit},
    lane::compress::Rule,
    route::{Action, HostPattern, Limits, RequiredIdentity, Route},
    upstream::{Dial, HashOn, Pool, PoolSettings, Resolver, ServerSpec},
};

const TUNNEL_IDLE: Duration = Duration::from_secs(2 * 3600);
/// A shorter limit would refuse what is well.
const SHORTEST: Duration = Duration::from_millis(10);

/// Mistakes found so far.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<ConfigError>);

impl Mistakes {
    fn add(&mut self, place: impl Into<String>, problem: impl Into<String>) {
        self.0.push(ConfigError::new(place, problem));
    }

    fn hint(&mut self, place: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) {
        self.0.push(ConfigError::new(place, problem).hint(hint));
    }

    /// Keeps `result`'s value, or its error as a mistake at `place`.
    fn take<T>(&mut self, place: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|problem| self.add(place, problem)).ok()
    }

    /// Notes what is wrong with one of the words, and says whether it is right.
    fn word(&mut self, place: &str, checked: Result<(), words::Wrong>) -> bool {
        if let Err((problem, hint)) = checked {
            self.hint(place, problem, hint);
            return false;
        }
        true
    }

    /// A time that ends what takes longer.
    fn limit(&mut self, place: impl Into<String>, period: Period) {
        if period.get() < SHORTEST {
            self.add(place, format!("`{period}` is too short to be meant"));
        }
    }

    fn at_least_one(&mut self, place: impl Into<String>, number: usize) {
        if number == 0 {
            self.add(place, "is at least 1");
        }
    }

    /// Saving up is for what is counted.
    fn burst(&mut self, place: &str, rate: u32, burst: u32) {
        if burst > 0 && rate == 0 {
            self.hint(place, "`burst` limits nothing without `rate`", "write `rate` beside it");
        }
    }

    pub(crate) fn into_result(self) -> Result<(), ConfigErrors> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigErrors(self.0)) }
    }
}

pub(crate) fn listeners(settings: &Settings, mistakes: &mut Mistakes) {
    let groups = [
        ("listen.http", &settings.listen.http),
        ("listen.https", &settings.listen.https),
        ("listen.plain", &settings.listen.plain),
        ("admin.listen", &settings.admin.listen),
    ];
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (place, addresses) in groups {
        for address in addresses {
            if address.parse::<SocketAddr>().is_err() {
                mistakes.hint(
                    place,
                    format!("`{address}` is no address to listen on"),
                    "write \"0.0.0.0:8443\"",
                );
            }
            if !address.ends_with(":0")
                && let Some(other) = seen.insert(address, place)
            {
                mistakes.add(place, format!("`{address}` is taken by {other}"));
            }
        }
    }
    let listen = &settings.listen;
    if listen.https.is_empty() && listen.http.is_empty() && listen.plain.is_empty() {
        mistakes
            .add("listen", "none of `http`, `https` and `plain` names an address: nothing would be served");
    }
    if settings.listen.threads == Some(0) {
        mistakes.add("listen.threads", "at least one thread is needed");
    }
    for status in settings.files.error_pages.keys() {
        if !status.parse::<u16>().is_ok_and(|status| (400..600).contains(&status)) {
            mistakes.add("static.error_pages", format!("`{status}` is no status of an error"));
        }
    }
    if settings.limits.head.get() < 1024 {
        mistakes.add("limits.head", "less than 1KiB refuses ordinary browsers");
    }
    if settings.limits.target.get() > settings.limits.head.get() {
        mistakes.add("limits.target", "is larger than `limits.head`, which holds it");
    }
    limits(&settings.limits, mistakes);
    for media_type in &settings.compression.types {
        let is_one = media_type.split_once('/').is_some_and(|(kind, rest)| {
            !kind.is_empty() && !rest.is_empty() && !media_type.contains(['*', ';', ' '])
        });
        if !is_one {
            mistakes.hint(
                "compression.types",
                format!("`{media_type}` is no media type"),
                "write each as \"text/html\", without a star or parameters",
            );
        }
    }
}

fn limits(limits: &super::Limits, mistakes: &mut Mistakes) {
    for (key, period) in [
        ("head_timeout", limits.head_timeout),
        ("body_timeout", limits.body_timeout),
        ("write_timeout", limits.write_timeout),
        ("idle_timeout", limits.idle_timeout),
    ] {
        mistakes.limit(format!("limits.{key}"), period);
    }
    for (key, number) in [
        ("fields", limits.fields),
        ("connections", limits.connections),
        ("connections_per_address", limits.connections_per_address),
        ("handshakes_per_address", limits.handshakes_per_address as usize),
        ("requests_per_connection", limits.requests_per_connection as usize),
        ("streams", limits.streams as usize),
        ("control_frames", limits.control_frames as usize),
    ] {
        mistakes.at_least_one(format!("limits.{key}"), number);
    }
    mistakes.burst("[limits]", limits.rate, limits.burst);
}

pub(crate) fn tls(settings: &Settings, mistakes: &mut Mistakes) {
    let tls = &settings.tls;
    if tls.mode != TlsMode::Acme {
        let is_name = |host: &&String| {
            host.parse::<IpAddr>().is_ok() || words::host(host).is_ok() && !host.starts_with('[')
        };
        for host in tls.hosts.iter().filter(|host| !is_name(host)) {
            mistakes.hint(
                "tls.hosts",
                format!("`{host}` is neither a name nor an address"),
                "write \"app.example\" or \"10.0.0.1\"",
            );
        }
        return;
    }
    if !tls.acme.directory.starts_with("https://") {
        mistakes.hint(
            "[tls.acme] directory",
            format!("`{}` is no URL of a directory", tls.acme.directory),
            "write \"https://acme-v02.api.letsencrypt.org/directory\"",
        );
    }
    if tls.acme.contact.as_ref().is_some_and(|contact| !contact.contains('@') || contact.contains(':')) {
        mistakes.hint("[tls.acme] contact", "is no e-mail address", "write \"ops@app.example\"");
    }
    if !tls.acme.agree_to_terms {
        mistakes.hint(
            "[tls.acme]",
            "the authority's terms are not agreed to",
            "write `agree_to_terms = true`",
        );
    }
    if tls.hosts.is_empty() {
        mistakes.add("tls.hosts", "names no host to ask a certificate for");
    }
    for host in &tls.hosts {
        let is_public_name = host.contains('.') && host.parse::<IpAddr>().is_err() && !host.contains('*');
        if !is_public_name {
            mistakes.hint(
                "tls.hosts",
                format!("an ACME authority gives no certificate for `{host}` this way"),
                "name public hosts only, as in hosts = [\"app.example\"]",
            );
        }
    }
    if settings.listen.http.is_empty() && tls.acme.challenge == AcmeChallenge::Http01 {
        mistakes.add("[tls.acme]", "the authority asks on plain HTTP, and `listen.http` names no address");
    }
}

pub(crate) fn upstreams(settings: &Settings, mistakes: &mut Mistakes) -> BTreeMap<String, PoolSettings> {
    let mut pools = BTreeMap::new();
    let resolver = resolver(&settings.resolver, mistakes);
    for (name, raw) in &settings.upstream {
        let place = format!("[upstream.{name}]");
        if raw.servers.is_empty() {
            mistakes.hint(&place, "has no servers", "write `servers = [\"127.0.0.1:7001\"]`");
        }
        let specs = raw
            .servers
            .iter()
            .filter_map(|server| mistakes.take(&format!("{place} servers"), ServerSpec::parse(server)))
            .collect();
        let hash_on = mistakes.take(&format!("{place} hash_on"), HashOn::parse(&raw.hash_on));
        if raw.health.path.as_ref().is_some_and(|path| !path.is_empty() && !path.starts_with('/')) {
            mistakes.add(format!("{place} health.path"), "begins with /");
        }
        for (key, period) in [
            ("health.interval", raw.health.interval),
            ("health.timeout", raw.health.timeout),
            ("connect_timeout", raw.connect_timeout),
            ("answer_timeout", raw.answer_timeout),
            ("resolve_every", raw.resolve_every),
        ] {
            mistakes.limit(format!("{place} {key}"), period);
        }
        for (key, number) in [
            ("health.rise", raw.health.rise as usize),
            ("health.fall", raw.health.fall as usize),
            ("retry.attempts", raw.retry.attempts as usize),
            ("max_in_flight", raw.max_in_flight),
        ] {
            mistakes.at_least_one(format!("{place} {key}"), number);
        }
        if raw.ejection.max_percent > 100 || raw.retry.budget_percent > 100 {
            mistakes.add(&place, "a share is at most 100 percent");
        }
        if raw.protocol.is_tls() && raw.tls_name.is_none() {
            mistakes.hint(
                &place,
                "speaks TLS, but `tls_name` does not say whose certificate to expect",
                "write `tls_name = \"api.internal\"`",
            );
        }
        let tls_root = raw.tls_root.as_deref().and_then(|file| {
            mistakes
                .take(&format!("{place} tls_root"), crate::tls::root(file).map_err(|error| error.to_string()))
        });
        if let (Some(hash_on), Some(dial)) = (hash_on, dial(raw, &place, mistakes)) {
            let settings = PoolSettings {
                servers: specs,
                hash_on,
                tls_root,
                dial,
                resolver: resolver.clone(),
                raw: raw.clone(),
            };
            pools.insert(name.clone(), settings);
        }
    }
    pools
}

fn resolver(raw: &super::Resolver, mistakes: &mut Mistakes) -> Resolver {
    let servers: Vec<SocketAddr> = raw
        .servers
        .iter()
        .filter_map(|text| {
            let address = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53)));
            let address =
                address.map_err(|_| format!("`{text}` is no address of a name server: write \"10.0.0.2\""));
            mistakes.take("resolver.servers", address)
        })
        .collect();
    mistakes.limit("resolver.timeout", raw.timeout);
    if servers.is_empty() {
        return Resolver::System;
    }
    Resolver::Servers { servers: servers.into(), timeout: raw.timeout.get() }
}

/// What a connection to the upstream's servers begins with.
fn dial(raw: &super::Upstream, place: &str, mistakes: &mut Mistakes) -> Option<Dial> {
    let name = match &raw.tls_name {
        Some(name) if raw.protocol.is_tls() => name,
        _ => return Some(Dial::Plain),
    };
    let name = ServerName::try_from(name.clone()).map_err(|_| format!("`{name}` is no name of a server"));
    let name = mistakes.take(&format!("{place} tls_name"), name)?;
    let protocol: &[u8] = if raw.protocol.is_http2() { b"h2" } else { b"http/1.1" };
    // A file that cannot be read was complained of with `tls_root`.
    let config = crate::tls::client_config(raw.tls_root.as_deref(), protocol).ok()?;
    Some(Dial::Tls { config, name })
}

pub(crate) fn routes(
    settings: &Settings,
    pools: &BTreeMap<String, Arc<Pool>>,
    mistakes: &mut Mistakes,
) -> Vec<Route> {
    let routes: Vec<Route> =
        settings.route.iter().filter_map(|raw| route(settings, raw, pools, mistakes)).collect();
    for (at, one) in routes.iter().enumerate() {
        let twin = routes.iter().skip(at + 1).find(|other| {
            other.prefix.trim_end_matches('/') == one.prefix.trim_end_matches('/')
                && other.hosts == one.hosts
                && other.methods == one.methods
                && other.headers == one.headers
        });
        if twin.is_some() {
            mistakes.add(
                format!("[[route]] path = \"{}\"", one.prefix),
                "stands twice: the second is never reached",
            );
        }
    }
    routes
}

fn route(
    settings: &Settings,
    raw: &super::Route,
    pools: &BTreeMap<String, Arc<Pool>>,
    mistakes: &mut Mistakes,
) -> Option<Route> {
    let place = format!("[[route]] path = \"{}\"", raw.path);
    let good_path =
        raw.path.starts_with('/') && crate::route::path::normalize(&raw.path).as_deref() == Some(&raw.path);
    if !good_path {
        mistakes.add(&place, "a path begins with / and holds neither escapes nor dot segments");
    }
    reserved(settings, &raw.path, &place, mistakes);
    for host in &raw.host {
        mistakes.word(&place, words::host(host));
    }
    for (key, period) in [("timeout", raw.timeout), ("tunnel_idle", raw.tunnel_idle)] {
        if let Some(period) = period {
            mistakes.limit(format!("{place} {key}"), period);
        }
    }
    mistakes.burst(&place, raw.rate.unwrap_or(0), raw.burst.unwrap_or(0));
    let action = action(settings, raw, pools, &place, mistakes);
    let methods = raw
        .methods
        .iter()
        .filter_map(|method| {
            let known = Method::from_bytes(method.as_bytes())
                .ok()
                .filter(|_| method.bytes().all(|b| b.is_ascii_uppercase()));
            mistakes.take(&place, known.ok_or_else(|| format!("`{method}` is no method")))
        })
        .collect();
    let headers = raw
        .headers
        .iter()
        .filter_map(|(name, value)| {
            header_name(name, &place, mistakes)?;
            Some((name.clone(), (value != "*").then(|| value.clone())))
        })
        .collect();
    let mut set = |wanted: &BTreeMap<String, String>, check: fn(&str, &str) -> Result<(), words::Wrong>| {
        let good = wanted.iter().filter(|(name, value)| mistakes.word(&place, check(name, value)));
        good.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect::<Vec<_>>()
    };
    let response_headers = set(&raw.response_headers, words::answer_field);
    let request_headers = set(&raw.request_headers, words::request_field);
    if !request_headers.is_empty() && raw.upstream.is_none() {
        mistakes.add(&place, "`request_headers` needs an `upstream` to send the request to");
    }
    if raw.rate_by == RateBy::User && raw.auth.is_none() {
        mistakes.hint(&place, "counts requests by user, but asks for no token", "add `auth = \"required\"`");
    }
    let identity = identity(raw, &place, mistakes);
    Some(Route {
        name: raw.host.first().map_or_else(|| raw.path.clone(), |host| format!("{host}{}", raw.path)).into(),
        prefix: raw.path.clone(),
        hosts: raw.host.iter().map(|host| HostPattern::parse(host)).collect(),
        methods,
        headers,
        action: action?,
        limits: Limits {
            body: raw.body.unwrap_or(settings.limits.body).get(),
            answer_timeout: raw.timeout.map(irongate_shared::config::Period::get),
            tunnel_idle: raw.tunnel_idle.map_or(TUNNEL_IDLE, irongate_shared::config::Period::get),
            rate: rate(raw.rate.unwrap_or(0), raw.burst.unwrap_or(0)),
            rate_by: raw.rate_by,
        },
        addresses: address_rule(&raw.allow, &raw.deny, &place, mistakes),
        identity,
        compression: (raw.compress != Some(false) && !settings.compression.types.is_empty()).then(|| Rule {
            types: settings.compression.types.iter().map(|one| one.to_ascii_lowercase()).collect(),
            min_size: settings.compression.min_size.get(),
            even_private: raw.compress == Some(true),
        }),
        cors: raw.cors.as_ref().and_then(|cors| cors_policy(cors, &place, mistakes)),
        request_headers,
        response_headers,
    })
}

/// What the gateway answers itself, before it looks for a route.
fn reserved(settings: &Settings, path: &str, place: &str, mistakes: &mut Mistakes) {
    if crate::admin::health::is_for(path) {
        mistakes.add(place, "is never reached: the gateway's own health is there");
    }
    if settings.admin.main_port && crate::admin::is_for(path) {
        mistakes.hint(
            place,
            "is never reached: the dashboard is there",
            "write `main_port = false` in [admin], and the dashboard is on its own listener alone",
        );
    }
}

/// Who may use the route.
fn identity(raw: &super::Route, place: &str, mistakes: &mut Mistakes) -> Option<RequiredIdentity> {
    for scope in &raw.scopes {
        // RFC 6749 §3.3: it goes between quotes in `WWW-Authenticate`.
        let well_formed =
            !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        if !well_formed {
            mistakes.add(place, format!("`{scope}` is no scope: it holds a space, a quote or a backslash"));
        }
    }
    if raw.auth.is_some() {
        return Some(RequiredIdentity { roles: raw.roles.clone(), scopes: raw.scopes.clone() });
    }
    for (what, asked) in [("roles", &raw.roles), ("scopes", &raw.scopes)] {
        if !asked.is_empty() {
            mistakes.hint(place, format!("asks for {what} but for no token"), "add `auth = \"required\"`");
        }
    }
    None
}

fn action(
    settings: &Settings,
    raw: &super::Route,
    pools: &BTreeMap<String, Arc<Pool>>,
    place: &str,
    mistakes: &mut Mistakes,
) -> Option<Action> {
    if let Some(rewrite) = &raw.rewrite {
        if raw.upstream.is_none() {
            mistakes.add(place, "`rewrite` needs an `upstream` to send the request to");
        }
        mistakes.word(place, words::rewrite(rewrite));
    }
    match (&raw.upstream, raw.files, &raw.redirect) {
        (Some(name), false, None) => match pools.get(name) {
            Some(pool) => Some(Action::Proxy { pool: pool.clone(), rewrite: raw.rewrite.clone() }),
            None => {
                let known: Vec<&str> = settings.upstream.keys().map(String::as_str).collect();
                mistakes.hint(
                    place,
                    format!("there is no [upstream.{name}]"),
                    format!("known: {}", known.join(", ")),
                );
                None
            }
        },
        (None, true, None) => Some(Action::Files),
        (None, false, Some(to)) => {
            mistakes.word(place, words::redirect(to));
            let status = raw.redirect_status.unwrap_or(308);
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                mistakes.add(place, format!("{status} is no redirect: 301, 302, 303, 307 or 308"));
            }
            Some(Action::Redirect {
                to: to.clone(),
                status: StatusCode::from_u16(status).unwrap_or(StatusCode::PERMANENT_REDIRECT),
            })
        }
        _ => {
            mistakes.add(
                place,
                "says not, or more than once, who answers: exactly one of `upstream`, `files`, `redirect`",
            );
            None
        }
    }
}

fn header_name(name: &str, place: &str, mistakes: &mut Mistakes) -> Option<HeaderName> {
    mistakes.take(
        place,
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header name")),
    )
}

pub(crate) fn rate(per_second: u32, burst: u32) -> Option<RateLimit> {
    (per_second > 0).then(|| RateLimit { per_second, burst: burst.max(per_second) })
}

pub(crate) fn networks(texts: &[String], place: &str, mistakes: &mut Mistakes) -> Vec<Network> {
    texts.iter().filter_map(|text| mistakes.take(place, text.parse())).collect()
}

pub(crate) fn address_rule(
    allow: &[String],
    deny: &[String],
    place: &str,
    mistakes: &mut Mistakes,
) -> AddressRule {
    AddressRule { allow: networks(allow, place, mistakes), deny: networks(deny, place, mistakes) }
}

fn cors_policy(raw: &Cors, place: &str, mistakes: &mut Mistakes) -> Option<CorsPolicy> {
    let every = raw.origins.iter().any(|origin| origin == "*");
    if raw.origins.is_empty() {
        mistakes.add(place, "`cors` names no `origins`");
        return None;
    }
    if every && (raw.credentials || raw.origins.len() > 1) {
        // SECURITY: "every site, with the user's cookies" is what CORS exists to prevent.
        mistakes.add(place, "`*` in `cors.origins` stands alone and without `credentials`");
    }
    for origin in raw.origins.iter().filter(|origin| *origin != "*") {
        let well_formed = origin.split_once("://").is_some_and(|(scheme, rest)| {
            matches!(scheme, "http" | "https") && !rest.is_empty() && !rest.contains('/')
        });
        if !well_formed {
            mistakes.hint(
                place,
                format!("`{origin}` is no origin"),
                "write \"https://app.example\", without a path",
            );
        }
    }
    let words = [("methods", &raw.methods), ("headers", &raw.headers), ("expose", &raw.expose)];
    for (key, list) in words {
        for word in list {
            if !crate::wire::is_token(word.as_bytes()) {
                mistakes.add(place, format!("`{word}` in `cors.{key}` is no name"));
            }
        }
    }
    Some(CorsPolicy {
        origins: (!every).then(|| raw.origins.clone()),
        methods: raw.methods.join(", "),
        headers: raw.headers.join(", "),
        expose: raw.expose.join(", "),
        credentials: raw.credentials,
        max_age: raw.max_age.get().as_secs().to_string(),
    })
}
