//! `gateway.toml`: what a person types, as types.
//!
//! [`Settings`] is the file as written; [`crate::snapshot::Snapshot`] is what becomes of it after all mistakes
//! were looked for at once. Every key is documented on its field, and `docs/gateway.md` is checked against
//! these comments. What the shipped file says is what an absent file means.

pub(crate) mod check;
pub(crate) mod words;

use std::{collections::BTreeMap, path::PathBuf};

use irongate_shared::config::{ByteSize, Period};
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub listen: Listen,
    pub admin: Admin,
    pub tls: Tls,
    #[serde(rename = "static")]
    pub files: Files,
    pub client: ClientAddress,
    pub limits: Limits,
    pub compression: Compression,
    pub resolver: Resolver,
    pub log: Log,
    pub shutdown: Shutdown,
    /// The services, by the name that routes use.
    pub upstream: BTreeMap<String, Upstream>,
    /// Who answers what; the longest path wins, whatever the order.
    pub route: Vec<Route>,
}

impl Default for Settings {
    fn default() -> Self {
        let upstream =
            |port: u16| Upstream { servers: vec![format!("127.0.0.1:{port}")], ..Upstream::default() };
        let service = |name: &str| Route {
            path: format!("/{name}"),
            upstream: Some(name.to_owned()),
            ..Route::default()
        };
        Self {
            listen: Listen::default(),
            admin: Admin::default(),
            tls: Tls::default(),
            files: Files::default(),
            client: ClientAddress::default(),
            limits: Limits::default(),
            compression: Compression::default(),
            resolver: Resolver::default(),
            log: Log::default(),
            shutdown: Shutdown::default(),
            upstream: [("auth", 7001), ("user", 7002), ("chat", 7003)]
                .map(|(name, port)| (name.to_owned(), upstream(port)))
                .into(),
            route: vec![
                Route { path: "/".into(), files: true, ..Route::default() },
                service("auth"),
                Route { body: Some(ByteSize::mib(10)), ..service("user") },
                Route { body: Some(ByteSize::mib(25)), ..service("chat") },
            ],
        }
    }
}

impl Settings {
    /// Puts back what a running gateway cannot change, and names what was changed of it. Else a redirect would lead to
    /// a port on which nobody listens yet.
    pub(crate) fn keep_what_was_read_at_the_start(&mut self, in_force: &Self) -> Vec<&'static str> {
        let mut changed = Vec::new();
        // The port that redirects name belongs to no socket of ours.
        let listen = Listen { redirect_port: self.listen.redirect_port, ..in_force.listen.clone() };
        if self.listen != listen {
            self.listen = listen;
            changed.push("listen");
        }
        if self.admin.listen != in_force.admin.listen {
            self.admin.listen.clone_from(&in_force.admin.listen);
            changed.push("admin.listen");
        }
        if self.tls.ticket_keys != in_force.tls.ticket_keys {
            self.tls.ticket_keys.clone_from(&in_force.tls.ticket_keys);
            changed.push("tls.ticket_keys");
        }
        changed
    }
}

/// Where the gateway takes connections. A change needs a restart (or an upgrade, which drops none).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Addresses for plain HTTP: redirects to HTTPS, `/health`, and ACME challenges. Empty: none.
    #[serde(deserialize_with = "one_or_many")]
    pub http: Vec<String>,
    /// Addresses for HTTPS (HTTP/1.1 and HTTP/2). Empty: what `http` names is served like `plain`.
    #[serde(deserialize_with = "one_or_many")]
    pub https: Vec<String>,
    /// Addresses where everything is served in the clear, beside HTTPS: for a load balancer in front that has
    /// TLS (name it in `client.trusted_proxies`), or inside a network of one's own.
    #[serde(deserialize_with = "one_or_many")]
    pub plain: Vec<String>,
    /// The port that redirects name; absent: the port of the first `https` address.
    pub redirect_port: Option<u16>,
    /// Worker threads of each listener that serves; absent: one per processor.
    pub threads: Option<usize>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            http: vec!["0.0.0.0:8080".into()],
            https: vec!["0.0.0.0:8443".into()],
            plain: Vec::new(),
            redirect_port: None,
            threads: None,
        }
    }
}

/// The dashboard's own listener, for operators: it works while every service is down.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address of the dashboard, its API and `/metrics`; keep it on loopback.
    #[serde(deserialize_with = "one_or_many")]
    pub listen: Vec<String>,
    /// Whether the dashboard is at `/admin` of the other listeners too, for the role admin. `false` leaves that path to
    /// your routes.
    pub main_port: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: vec!["127.0.0.1:9901".into()], main_port: true }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// A local authority and a certificate made at first start, kept under `data/tls/`.
    #[default]
    SelfSigned,
    /// Certificates from files, picked by the name the client asks for.
    Files,
    /// A certificate from Let's Encrypt or another ACME authority, renewed by itself.
    Acme,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Where certificates come from: `self-signed`, `files` or `acme`.
    pub mode: TlsMode,
    /// Names and addresses in the self-signed certificate (the machine's name is added), or names to ask
    /// the ACME authority for.
    #[serde(deserialize_with = "one_or_many")]
    pub hosts: Vec<String>,
    /// For `files`: certificate chains and keys; the first one answers unknown names.
    pub certificate: Vec<Certificate>,
    /// For `acme`: whom to ask.
    pub acme: Acme,
    /// Authorities (PEM) whose client certificates are asked for; absent: none is asked for.
    pub client_authorities: Option<PathBuf>,
    /// Whether a client without a certificate is turned away; otherwise it is only noted.
    pub client_required: bool,
    /// File with the keys of session tickets, which are renewed in it twice a day; replicas that share it resume
    /// each other's sessions. Absent: `tls/tickets` in the data directory.
    pub ticket_keys: Option<PathBuf>,
    /// `Strict-Transport-Security` on HTTPS answers: how long browsers remember it. `"0s"`: not sent.
    pub hsts: Period,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            mode: TlsMode::SelfSigned,
            hosts: vec!["localhost".into(), "127.0.0.1".into(), "::1".into()],
            certificate: Vec::new(),
            acme: Acme::default(),
            client_authorities: None,
            client_required: true,
            ticket_keys: None,
            hsts: Period::from_secs(365 * 86_400),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// PEM file with the certificate and its chain, leaf first.
    pub chain: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// How the names are proven to an ACME authority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcmeChallenge {
    #[default]
    #[serde(rename = "http-01")]
    Http01,
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

/// An ACME authority, which proves the names by visiting them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Acme {
    /// URL of the authority's directory.
    pub directory: String,
    /// `http-01`: it visits port 80, where the plain listener must be reachable; `tls-alpn-01`: port 443.
    pub challenge: AcmeChallenge,
    /// Address that the authority may write to.
    pub contact: Option<String>,
    /// The authority's terms must be agreed to.
    pub agree_to_terms: bool,
    /// PEM file of the root that the directory's own HTTPS is checked against; absent: the system's roots.
    pub root: Option<PathBuf>,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            challenge: AcmeChallenge::Http01,
            contact: None,
            agree_to_terms: false,
            root: None,
        }
    }
}

/// The frontend, served by the gateway itself.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// Directory of the files.
    pub root: PathBuf,
    /// File that answers navigations to addresses that are no file (single-page applications);
    /// a missing asset stays 404. Empty: no fallback.
    pub fallback: String,
    /// Pages of the frontend for people who meet an error, by status: `{ "404" = "404.html" }`. Programs
    /// get a problem document all the same.
    pub error_pages: BTreeMap<String, String>,
    /// `Content-Security-Policy` of pages. `{script-hashes}` stands for the hashes of their inline scripts.
    pub content_security_policy: String,
    /// Files up to this size are kept in memory, compressed ahead of time.
    pub cached_file: ByteSize,
    /// How much memory all kept files may take together.
    pub cache: ByteSize,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            root: "static".into(),
            fallback: "index.html".into(),
            error_pages: BTreeMap::new(),
            content_security_policy: "default-src 'self'; script-src 'self' {script-hashes}; style-src 'self'; \
                                      img-src 'self' blob: data:; connect-src 'self'; frame-ancestors 'none'; \
                                      base-uri 'none'; form-action 'self'; object-src 'none'"
                .into(),
            cached_file: ByteSize::mib(1),
            cache: ByteSize::mib(64),
        }
    }
}

/// Whom to believe about the client's address.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientAddress {
    /// Networks of proxies in front of the gateway whose `X-Forwarded-*` and `X-Request-Id` are believed.
    #[serde(deserialize_with = "one_or_many")]
    pub trusted_proxies: Vec<String>,
    /// Networks that may connect; empty: all. Checked against the client's address.
    #[serde(deserialize_with = "one_or_many")]
    pub allow: Vec<String>,
    /// Networks that may not.
    #[serde(deserialize_with = "one_or_many")]
    pub deny: Vec<String>,
}

/// What one client may ask of the gateway before it is refused. The addresses of one IPv6 network (`/64`) count as one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Request line and header fields together.
    pub head: ByteSize,
    /// Number of header fields.
    pub fields: usize,
    /// Request target (path and query).
    pub target: ByteSize,
    /// Request body, where a route says nothing else.
    pub body: ByteSize,
    /// For a whole request head to arrive, from its first byte; also for a TLS handshake.
    pub head_timeout: Period,
    /// Between two pieces of a request body.
    pub body_timeout: Period,
    /// For a client to take a piece of an answer.
    pub write_timeout: Period,
    /// A connection without a request is closed after this time.
    pub idle_timeout: Period,
    /// Open connections in all.
    pub connections: usize,
    /// Open connections of one address.
    pub connections_per_address: usize,
    /// New connections per second of one address, and as many saved up.
    pub handshakes_per_address: u32,
    /// Requests on one HTTP/1.1 connection.
    pub requests_per_connection: u32,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
    /// HTTP/2 resets, pings and settings that one connection may send in ten seconds.
    pub control_frames: u32,
    /// Requests per second of one address, and how many more it may save up. `0`: no limit.
    pub rate: u32,
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: ByteSize::kib(32),
            fields: 100,
            target: ByteSize::kib(8),
            body: ByteSize::mib(1),
            head_timeout: Period::from_secs(10),
            body_timeout: Period::from_secs(30),
            write_timeout: Period::from_secs(30),
            idle_timeout: Period::from_secs(75),
            connections: 50_000,
            connections_per_address: 4_000,
            handshakes_per_address: 2_000,
            requests_per_connection: 10_000,
            streams: 100,
            control_frames: 2_000,
            rate: 0,
            burst: 0,
        }
    }
}

/// Which answers of services are compressed on their way (brotli, zstd, gzip, as the client likes best). Never those
/// that are compressed already, that say `no-transform`, or that are made for one user (`private`, `no-store`, a cookie
/// is set); see `compress` on routes. Services that speak HTTP/2 compress for themselves.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compression {
    /// Media types that are worth it; none: nothing is compressed.
    #[serde(deserialize_with = "one_or_many")]
    pub types: Vec<String>,
    /// Smaller answers pass as they are.
    pub min_size: ByteSize,
}

impl Default for Compression {
    fn default() -> Self {
        let types = [
            "text/html",
            "text/css",
            "text/plain",
            "text/csv",
            "text/xml",
            "text/javascript",
            "text/event-stream",
            "application/javascript",
            "application/json",
            "application/ld+json",
            "application/problem+json",
            "application/xml",
            "application/rss+xml",
            "application/atom+xml",
            "application/wasm",
            "image/svg+xml",
        ];
        Self { types: types.map(str::to_owned).to_vec(), min_size: ByteSize::kib(1) }
    }
}

/// Who is asked for the addresses of services.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resolver {
    /// Name servers (`127.0.0.11`, `10.0.0.2:5353`), asked one after the other. Empty: the system's resolver, with its
    /// hosts file and search list, which a name server that is asked directly knows nothing of.
    #[serde(deserialize_with = "one_or_many")]
    pub servers: Vec<String>,
    /// For one of them to answer.
    pub timeout: Period,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout: Period::from_secs(1) }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessLog {
    /// One JSON object per line.
    #[default]
    Json,
    /// The Combined Log Format of Apache and NGINX.
    Combined,
    Off,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The access log on standard output: `json`, `combined` or `off`.
    pub access: AccessLog,
    /// Whether requests for `/health` and `/health/live` that went well have a line too; orchestrators ask all day.
    pub health: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long requests in flight may take to finish after SIGTERM; WebSockets are closed with 1012.
    pub grace: Period,
    /// The same after SIGQUIT, when another process has taken the sockets over: nobody waits for this one to end, so long
    /// downloads need not be cut. SIGTERM still ends it after `grace`.
    pub upgrade_grace: Period,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace: Period::from_secs(8), upgrade_grace: Period::from_secs(600) }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// One after the other, by weight.
    RoundRobin,
    /// The less busy of two picked by chance.
    #[default]
    LeastRequest,
    /// The same key goes to the same server as long as it is up.
    Hash,
}

/// What is spoken to a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    #[default]
    Http,
    Https,
    H2c,
    H2,
}

impl Protocol {
    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Protocol::H2c | Protocol::H2)
    }

    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Protocol::Https | Protocol::H2)
    }
}

/// A service: several servers that answer alike.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// `host:port` (the host is looked up again all the time) or `unix:/path`; a weight may follow
    /// (`"10.0.0.1:80 weight=3"`), or the word `backup` (used only when no other is up).
    #[serde(deserialize_with = "one_or_many")]
    pub servers: Vec<String>,
    /// What the servers speak: `http` (1.1), `https`, `h2c` (HTTP/2 without TLS) or `h2`.
    pub protocol: Protocol,
    /// For `https` and `h2`: the name in the servers' certificates.
    pub tls_name: Option<String>,
    /// PEM file with the root that signed them; absent: the system's roots.
    pub tls_root: Option<PathBuf>,
    /// How a server is picked: `least-request`, `round-robin` or `hash`.
    pub balance: Balance,
    /// For `hash`: `client`, `header:NAME` or `cookie:NAME`.
    pub hash_on: String,
    /// How often host names are looked up.
    pub resolve_every: Period,
    /// For a connection to be made.
    pub connect_timeout: Period,
    /// For the answer's head, and between two pieces of its body.
    pub answer_timeout: Period,
    /// Idle connections kept per server, and for how long (shorter than the service's own keep-alive).
    pub idle_connections: usize,
    pub idle_timeout: Period,
    /// Requests in flight before more have to wait (circuit breaker); WebSockets that are open do not count.
    pub max_in_flight: usize,
    /// Requests that may wait for others to finish, and for how long; more, or longer, is refused with 503.
    pub max_pending: usize,
    pub pending_timeout: Period,
    /// A server that comes back gets its full share only after this time.
    pub slow_start: Period,
    pub health: Health,
    pub ejection: Ejection,
    pub retry: Retry,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            protocol: Protocol::Http,
            tls_name: None,
            tls_root: None,
            balance: Balance::LeastRequest,
            hash_on: "client".into(),
            resolve_every: Period::from_secs(2),
            connect_timeout: Period::from_secs(2),
            answer_timeout: Period::from_secs(60),
            idle_connections: 128,
            idle_timeout: Period::from_secs(4),
            max_in_flight: 10_000,
            max_pending: 1_000,
            pending_timeout: Period::from_secs(1),
            slow_start: Period::from_secs(0),
            health: Health::default(),
            ejection: Ejection::default(),
            retry: Retry::default(),
        }
    }
}

/// Active checks: a server that never passed one gets no request.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Path asked with GET; any 2xx is healthy. Empty: a connection that opens is enough. Absent: `/health`, but for
    /// `h2c` and `h2`, where gRPC services have no such path, empty.
    pub path: Option<String>,
    /// Time between checks (a tenth of it is left to chance).
    pub interval: Period,
    /// For one check.
    pub timeout: Period,
    /// Checks in a row that must pass before a server that was down is up.
    pub rise: u32,
    /// Checks in a row that must fail before it is down.
    pub fall: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self { path: None, interval: Period::from_secs(2), timeout: Period::from_secs(1), rise: 2, fall: 2 }
    }
}

/// Passive checks: a server that fails real requests is left out for a while.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ejection {
    /// Failures in a row (connect errors, timeouts, 502, 503, 504 and broken answers) that eject.
    pub failures: u32,
    /// How long the first ejection lasts; each further one lasts longer by as much, up to ten times.
    pub duration: Period,
    /// Never more than this share of an upstream's servers, in percent.
    pub max_percent: u32,
}

impl Default for Ejection {
    fn default() -> Self {
        Self { failures: 5, duration: Period::from_secs(10), max_percent: 50 }
    }
}

/// Second tries, only where safe: the method is idempotent, or nothing was sent yet.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// Retries as a share of requests, in percent (ten per second are always allowed).
    pub budget_percent: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 3, budget_percent: 20 }
    }
}

/// Who answers a part of the address space. Exactly one of `upstream`, `files`, `redirect` says who.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// Path prefix on segment boundaries: `/auth` takes `/auth` and `/auth/x`, not `/authors`.
    pub path: String,
    /// Hosts (`app.example`, `*.example`); empty: any.
    #[serde(deserialize_with = "one_or_many")]
    pub host: Vec<String>,
    /// Methods; empty: any.
    #[serde(deserialize_with = "one_or_many")]
    pub methods: Vec<String>,
    /// Header fields that must be present with this value (`*`: any value).
    pub headers: BTreeMap<String, String>,
    /// Name of the upstream that answers.
    pub upstream: Option<String>,
    /// The frontend answers (see `[static]`).
    pub files: bool,
    /// Answers with a redirect here; `{path}` and `{query}` stand for the request's own.
    pub redirect: Option<String>,
    /// Status of that redirect.
    pub redirect_status: Option<u16>,
    /// What replaces the matched prefix before the request is sent on.
    pub rewrite: Option<String>,
    /// Request body limit.
    pub body: Option<ByteSize>,
    /// For the service's answer; absent: the upstream's `answer_timeout`.
    pub timeout: Option<Period>,
    /// WebSockets: closed after this time without a byte in either direction. Absent: `"2h"`.
    pub tunnel_idle: Option<Period>,
    /// Requests per second of one caller on this route, and how many more it may save up.
    pub rate: Option<u32>,
    pub burst: Option<u32>,
    /// Who is one caller: an `address`, or a `user` (which needs `auth = "required"`).
    pub rate_by: RateBy,
    /// `required`: only with a valid access token; absent: the service decides.
    pub auth: Option<Auth>,
    /// Roles of which the token must have one.
    #[serde(deserialize_with = "one_or_many")]
    pub roles: Vec<String>,
    /// Scopes of which the token must have all. Where some are asked for, a service's token (client credentials)
    /// is as good as a user's.
    #[serde(deserialize_with = "one_or_many")]
    pub scopes: Vec<String>,
    /// Networks that may use the route; empty: all.
    #[serde(deserialize_with = "one_or_many")]
    pub allow: Vec<String>,
    /// Networks that may not.
    #[serde(deserialize_with = "one_or_many")]
    pub deny: Vec<String>,
    /// `true`: answers for one user are compressed too; `false`: none is. Absent: as `[compression]` says.
    pub compress: Option<bool>,
    /// Other origins whose pages may call this route.
    pub cors: Option<Cors>,
    /// Fields set on requests to the service, in place of the client's own: `{client}`, `{host}` and `{scheme}` stand for
    /// the client's address and what it asked for; an empty text takes a field away. `host` is whom the service is asked
    /// for, where that is not whom the client asked for.
    pub request_headers: BTreeMap<String, String>,
    /// Fields set on answers, in place of the service's own; an empty text takes a field away.
    pub response_headers: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateBy {
    #[default]
    Address,
    User,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    Required,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins (`https://app.example`), or `*` for all (then without credentials).
    #[serde(deserialize_with = "one_or_many")]
    pub origins: Vec<String>,
    /// Methods a page may use.
    #[serde(deserialize_with = "one_or_many")]
    pub methods: Vec<String>,
    /// Header fields a page may send.
    #[serde(deserialize_with = "one_or_many")]
    pub headers: Vec<String>,
    /// Header fields of answers a page may read.
    #[serde(deserialize_with = "one_or_many")]
    pub expose: Vec<String>,
    /// Whether cookies may be sent along.
    pub credentials: bool,
    /// How long a browser may remember a preflight.
    pub max_age: Period,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].map(str::to_owned).to_vec(),
            headers: vec!["authorization".into(), "content-type".into()],
            expose: Vec::new(),
            credentials: false,
            max_age: Period::from_secs(600),
        }
    }
}

/// Accepts `"a"`, `"a, b"` (as an environment variable has it) and `["a", "b"]`.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum Raw {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Raw::deserialize(deserializer)? {
        Raw::One(text) => {
            text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
        }
        Raw::Many(many) => many,
    })
}

#[cfg(test)]
mod tests;
