//! A gateway in front of one service for each way in which it reaches services.

use super::{Authority, Gateway, Http2Service, Service, free_port, service::NEVER, service::ok};

/// Ways to a service; the route's path is the lane's name.
pub(crate) const LANES: [&str; 4] = ["/lean", "/tls", "/full", "/full-tls"];

/// Checks that a busy machine does not fail.
const PATIENT: &str = "health = { timeout = \"20s\" }";

/// One service, however it is spoken to.
pub(crate) enum Behind {
    Http1(Service),
    Http2(Http2Service),
}

impl Behind {
    /// Answers by the end of the path: `/reset` is not answered, `/cut` not to the end, `/never` is left to wait.
    async fn start(lane: &str, authority: &Authority) -> Self {
        let answer = |got: &super::service::Got| {
            let path = got.head.split([' ', '?']).nth(1).unwrap_or_default();
            match path.rsplit('/').next().unwrap_or_default() {
                "reset" => Vec::new(),
                "never" => NEVER.to_vec(),
                "cut" => b"HTTP/1.0 200 OK\r\ncontent-length: 100\r\n\r\nabc".to_vec(),
                _ => ok(&got.body.len().to_string()),
            }
        };
        match lane {
            "/lean" => Self::Http1(Service::answering(answer).await),
            "/tls" => Self::Http1(Service::over_tls(authority.acceptor(&[]), answer).await),
            "/full" => Self::Http2(Http2Service::start().await),
            _ => Self::Http2(Http2Service::over_tls(authority.acceptor(&[b"h2"])).await),
        }
    }

    pub(crate) fn address(&self) -> String {
        match self {
            Self::Http1(service) => service.address(),
            Self::Http2(service) => service.address(),
        }
    }

    /// How many requests came through, but health checks.
    pub(crate) fn reached(&self) -> usize {
        match self {
            Self::Http1(service) => service.requests().len(),
            Self::Http2(service) => service.requests().len(),
        }
    }

    /// How many requests the gateway gave up.
    pub(crate) fn given_up(&self) -> usize {
        match self {
            Self::Http1(service) => service.given_up(),
            Self::Http2(service) => service.given_up(),
        }
    }

    /// The fields of every request that came, as text.
    pub(crate) fn heads(&self) -> Vec<String> {
        match self {
            Self::Http1(service) => service.requests().into_iter().map(|got| got.head).collect(),
            Self::Http2(service) => {
                service.requests().into_iter().map(|got| format!("{:?}", got.headers)).collect()
            }
        }
    }
}

pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    /// By lane: the servers of its upstream.
    servers: Vec<(&'static str, Vec<Behind>)>,
}

impl Stage {
    /// One server on each lane, with lines added to each route and to the end of the file.
    pub(crate) async fn with(more: &str) -> Self {
        Self::of(1, PATIENT, "body = \"100KiB\"", more).await
    }

    /// So many servers on each lane, with lines added to each upstream, each route, and the end of the file. The route
    /// `/hurried` below each lane waits 300 ms for an answer; behind `/dead` below each is nobody.
    pub(crate) async fn of(servers: usize, upstream: &str, route: &str, more: &str) -> Self {
        irongate_shared::install_crypto_provider();
        let authority = Authority::new();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("services.pem");
        std::fs::write(&root, &authority.pem).unwrap();
        let mut text =
            "[[route]]\npath = \"/\"\nfiles = true\n[[route]]\npath = \"/moved\"\nredirect = \"/x\"\n"
                .to_owned();
        let mut lanes = Vec::new();
        for lane in LANES {
            let mut behind = Vec::new();
            for _ in 0..servers {
                behind.push(Behind::start(lane, &authority).await);
            }
            let name = &lane[1..];
            let addresses: Vec<String> = behind.iter().map(Behind::address).collect();
            let tls = format!("tls_name = \"localhost\"\ntls_root = {root:?}\n");
            let protocol = match lane {
                "/lean" => String::new(),
                "/tls" => format!("protocol = \"https\"\n{tls}"),
                "/full" => "protocol = \"h2c\"\n".to_owned(),
                _ => format!("protocol = \"h2\"\n{tls}"),
            };
            for (name, addresses) in [
                (name.to_owned(), addresses),
                (format!("{name}-dead"), vec![format!("127.0.0.1:{}", free_port())]),
            ] {
                text += &format!(
                    "[upstream.{name}]\nservers = {addresses:?}\n{protocol}connect_timeout = \"20s\"\n{upstream}\n"
                );
            }
            text += &format!("[[route]]\npath = {lane:?}\nupstream = {name:?}\n{route}\n");
            text += &format!(
                "[[route]]\npath = \"{lane}/hurried\"\nupstream = {name:?}\ntimeout = \"300ms\"\n{route}\n"
            );
            text += &format!("[[route]]\npath = \"{lane}/dead\"\nupstream = \"{name}-dead\"\n");
            lanes.push((lane, behind));
        }
        let gateway = Gateway::configured(&format!("{text}{more}\n")).await;
        for server in lanes.iter().flat_map(|(_, behind)| behind) {
            gateway.until_server_is(&server.address(), "up").await;
        }
        Self { gateway, servers: lanes }
    }

    pub(crate) fn servers(&self, lane: &str) -> &[Behind] {
        &self.servers.iter().find(|(own, _)| *own == lane).unwrap().1
    }

    /// Ends the last server of a lane, and gives its address.
    pub(crate) fn kill(&mut self, lane: &str) -> String {
        let servers = &mut self.servers.iter_mut().find(|(own, _)| *own == lane).unwrap().1;
        servers.pop().unwrap().address()
    }

    /// How many requests came through on a lane.
    pub(crate) fn reached(&self, lane: &str) -> usize {
        self.servers(lane).iter().map(Behind::reached).sum()
    }

    /// How many requests came through at all.
    pub(crate) fn reached_in_all(&self) -> usize {
        LANES.iter().map(|lane| self.reached(lane)).sum()
    }

    /// One client for each protocol.
    pub(crate) fn clients(&self) -> [(&'static str, reqwest::Client); 2] {
        [
            ("HTTP/1.1", self.gateway.client_builder().http1_only().build().unwrap()),
            ("HTTP/2", self.gateway.client_builder().http2_prior_knowledge().build().unwrap()),
        ]
    }
}
