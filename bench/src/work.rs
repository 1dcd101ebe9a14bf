//! **What is measured.** Every line says what is asked, of whom, and with which generator.

use std::time::Duration;

use crate::{
    load::{
        Generator, HttpLoad,
        own::Command::{Handshakes, Steady, Websocket},
    },
    peer::{Ability, Setting, Site},
    process::wait_for,
    stage,
};

#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// One line for the tables.
    pub(crate) what: &'static str,
    /// What only some peers can do and this work takes.
    pub(crate) needs: Option<Ability>,
    /// The one setting in which it means something; absent: both.
    pub(crate) only: Option<Setting>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// wrk (HTTP/1.1) in a closed loop.
    Http1(Request),
    /// h2load (HTTP/2) in a closed loop.
    Http2(Request),
    /// oha; with HTTP/2 when so many requests may be on their way per connection.
    Oha {
        request: Request,
        streams: usize,
    },
    /// A TLS handshake for each request.
    Handshakes {
        clients: usize,
        resume: bool,
    },
    WebSocket,
    /// A fixed rate: this share of what the peer can do at most.
    Steady {
        share: f64,
    },
    /// Memory per idle TLS connection.
    Idle {
        connections: usize,
    },
    /// From the start of the program to its first proxied answer.
    Ready,
}

/// What is asked, and what must come back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) door: Door,
    pub(crate) path: &'static str,
    pub(crate) status: u16,
    /// Length of the body, where it is known.
    pub(crate) length: Option<usize>,
    pub(crate) accept: Option<&'static str>,
    pub(crate) upload: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Tls,
    /// The whole site without TLS.
    Plain,
    /// Where plain requests are redirected to HTTPS.
    Redirect,
}

/// The unit of the cost that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    CpuMicros,
    KibPerConnection,
    Millis,
}

const fn tls(path: &'static str) -> Request {
    Request { door: Door::Tls, path, status: 200, length: None, accept: None, upload: None }
}

const fn file(path: &'static str, length: usize) -> Request {
    Request { length: Some(length), ..tls(path) }
}

const API: Request = tls("/chat/hello");

const fn work(name: &'static str, what: &'static str, kind: Kind) -> Work {
    Work { name, what, needs: None, only: None, kind }
}

const fn served(name: &'static str, what: &'static str, needs: Ability, kind: Kind) -> Work {
    Work { needs: Some(needs), ..work(name, what, kind) }
}

pub(crate) const WORKS: &[Work] = &[
    work("h1-tls-api", "HTTPS, HTTP/1.1: 200 bytes of JSON, proxied", Kind::Http1(API)),
    work("h2-tls-api", "HTTPS, HTTP/2: the same", Kind::Http2(API)),
    served(
        "h1-plain-api",
        "HTTP/1.1 in the clear: the same",
        Ability::Clear,
        Kind::Http1(Request { door: Door::Plain, ..API }),
    ),
    work("oha-h1", "as h1-tls-api, by oha", Kind::Oha { request: API, streams: 1 }),
    work("oha-h2", "as h2-tls-api, by oha", Kind::Oha { request: API, streams: 16 }),
    served(
        "h1-tls-1k",
        "HTTPS, HTTP/1.1: a file of 1 KiB",
        Ability::Canned,
        Kind::Http1(file("/1k.bin", 1 << 10)),
    ),
    served(
        "h2-tls-1k",
        "HTTPS, HTTP/2: a file of 1 KiB",
        Ability::Canned,
        Kind::Http2(file("/1k.bin", 1 << 10)),
    ),
    served(
        "h1-tls-16k",
        "HTTPS, HTTP/1.1: a file of 16 KiB",
        Ability::Files,
        Kind::Http1(file("/16k.bin", 16 << 10)),
    ),
    served(
        "h2-tls-16k",
        "HTTPS, HTTP/2: a file of 16 KiB",
        Ability::Files,
        Kind::Http2(file("/16k.bin", 16 << 10)),
    ),
    served(
        "h1-tls-1m",
        "HTTPS, HTTP/1.1: a file of 1 MiB",
        Ability::Files,
        Kind::Http1(file("/1m.bin", 1 << 20)),
    ),
    Work {
        only: Some(Setting::Shipped),
        ..served(
            "h1-tls-compressed",
            "HTTPS, HTTP/1.1: a script of 32 KiB, compressed on demand",
            Ability::Compression,
            Kind::Http1(Request { accept: Some("gzip"), ..tls("/app.js") }),
        )
    },
    work("h1-tls-100k", "HTTPS, HTTP/1.1: 100 KiB, proxied", Kind::Http1(file("/chat/large", 100 << 10))),
    work(
        "h1-tls-upload",
        "HTTPS, HTTP/1.1: 1 MiB uploaded through the proxy",
        Kind::Http1(Request { upload: Some(1 << 20), ..tls("/user/upload") }),
    ),
    work(
        "redirect",
        "HTTP/1.1 in the clear: redirect to HTTPS",
        Kind::Http1(Request { door: Door::Redirect, status: 308, ..tls("/chat/hello?x=1") }),
    ),
    work(
        "hs-full",
        "one request per TLS connection, full handshake",
        Kind::Handshakes { clients: 16, resume: false },
    ),
    work("hs-resume", "the same, 400 clients that return", Kind::Handshakes { clients: 400, resume: true }),
    work("ws-echo", "WebSocket over TLS: 64 bytes and back", Kind::WebSocket),
    work("steady-60", "h1-tls-api at 60 % of each peer's own most", Kind::Steady { share: 0.6 }),
    work("idle-memory", "memory per idle TLS connection, 1,000 of them", Kind::Idle { connections: 1000 }),
    work("ready", "cold start to the first proxied answer over TLS", Kind::Ready),
];

const COMPRESSED_WITHIN: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 64;
/// They fill a processor already, and each is done within a second even where the gateway was built without optimizing.
const UPLOADS: usize = 8;
const H2_CONNECTIONS: usize = 8;
const H2_STREAMS: usize = 16;

impl Work {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        WORKS.iter().find(|work| work.name == name)
    }

    pub(crate) fn unit(&self) -> Unit {
        match self.kind {
            Kind::Idle { .. } => Unit::KibPerConnection,
            Kind::Ready => Unit::Millis,
            _ => Unit::CpuMicros,
        }
    }

    /// The generator for `site`; `most` is what the peer answers at most per second, known for a fixed rate.
    /// Nothing for work that is no load.
    pub(crate) fn generator(&self, site: &Site, most: Option<f64>) -> Option<Generator> {
        let path = || API.path.to_owned();
        let address = site.https;
        Some(match self.kind {
            Kind::Http1(request) if request.upload.is_some() => {
                Generator::Wrk(request.load(site, UPLOADS, 1))
            }
            Kind::Http1(request) => Generator::Wrk(request.load(site, CONNECTIONS, 1)),
            Kind::Http2(request) => Generator::H2load(request.load(site, H2_CONNECTIONS, H2_STREAMS)),
            Kind::Oha { request, streams: 1 } => Generator::Oha(request.load(site, CONNECTIONS, 1)),
            Kind::Oha { request, streams } => Generator::Oha(request.load(site, H2_CONNECTIONS, streams)),
            Kind::Handshakes { clients, resume } => {
                Generator::Own(Handshakes { address, path: path(), clients, resume })
            }
            Kind::WebSocket => Generator::Own(Websocket {
                address,
                path: "/chat/ws".to_owned(),
                connections: CONNECTIONS,
                window: 8,
                size: 64,
            }),
            Kind::Steady { share } => Generator::Own(Steady {
                address,
                path: path(),
                connections: CONNECTIONS,
                rate: (most? * share).max(1.0),
            }),
            Kind::Idle { .. } | Kind::Ready => return None,
        })
    }

    /// What finds out how much a peer answers at most, before a fixed rate is chosen.
    pub(crate) fn capacity(&self, site: &Site) -> Option<Generator> {
        matches!(self.kind, Kind::Steady { .. }).then(|| Generator::Wrk(API.load(site, CONNECTIONS, 1)))
    }

    /// Asks once and looks at the answer, so that no peer is measured at doing something else.
    pub(crate) fn probe(&self, site: &Site) -> anyhow::Result<()> {
        let (Kind::Http1(request) | Kind::Http2(request) | Kind::Oha { request, .. }) = self.kind else {
            return Ok(());
        };
        if request.upload.is_some() {
            return Ok(());
        }
        let headers: Vec<_> = request.accept.iter().map(|accept| ("accept-encoding", *accept)).collect();
        let (address, tls) = request.door.of(site);
        let answer = stage::ask(address, tls, request.path, &headers)?;
        anyhow::ensure!(
            answer.status == request.status || (request.status == 308 && answer.status == 301),
            "{} was answered with {}",
            request.path,
            answer.status
        );
        if let Some(length) = request.length {
            anyhow::ensure!(answer.body.len() == length, "{} has {} bytes", request.path, answer.body.len());
        }
        if let Some(accept) = request.accept {
            // Some compress ahead of time, and begin with that when they are up.
            let compressed = || {
                let answer = stage::ask(address, tls, request.path, &headers)?;
                Ok(Some(answer).filter(|answer| answer.header("content-encoding").is_some()))
            };
            let answer = wait_for("a compressed answer", COMPRESSED_WITHIN, compressed)?;
            let encoding = answer.header("content-encoding").unwrap_or("no encoding");
            anyhow::ensure!(encoding == accept, "{} came with {encoding}", request.path);
            anyhow::ensure!(answer.body.len() < stage::SCRIPT / 2, "{} is hardly smaller", request.path);
        }
        if request.status == 308 {
            let to = answer.header("location").unwrap_or("nowhere");
            let expected = format!("https://localhost:{}{}", site.https.port(), request.path);
            anyhow::ensure!(to == expected, "the redirect leads to {to}, not {expected}");
        }
        Ok(())
    }
}

impl Request {
    fn load(&self, site: &Site, connections: usize, streams: usize) -> HttpLoad {
        let (address, tls) = self.door.of(site);
        let scheme = if tls { "https" } else { "http" };
        HttpLoad {
            url: format!("{scheme}://127.0.0.1:{}{}", address.port(), self.path),
            connections,
            streams,
            headers: self.accept.iter().map(|accept| ("accept-encoding", *accept)).collect(),
            upload: self.upload,
            status: self.status,
        }
    }
}

impl Door {
    fn of(self, site: &Site) -> (std::net::SocketAddr, bool) {
        match self {
            Self::Tls => (site.https, true),
            Self::Plain => (site.plain, false),
            Self::Redirect => (site.http, false),
        }
    }
}
