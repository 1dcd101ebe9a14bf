//! Who is measured: chat-svc, Socket.IO and Django Channels, each started as its own people run it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail};
use irongate_shared::config::DatabaseUrl;

use super::{
    crowd::Seat,
    dialect::Dialect,
    people::{GATEWAY, Line, Signer},
};
use crate::{
    process::{Processors, Running, pinned, wait_for},
    servers::{Postgres, Redis},
    tools::{Tools, shell},
};

const START: Duration = Duration::from_secs(60);
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/chat-peers");

/// A program in one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) dialect: Dialect,
    store: Store,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    Nothing,
    Sqlite,
    Postgres,
}

/// In the order in which they are measured.
pub(crate) const ENTRANTS: &[Entrant] = &[
    Entrant {
        name: "irongate",
        what: "chat-svc on PostgreSQL and Redis; every message stored before it is delivered",
        dialect: Dialect::Irongate,
        store: Store::Postgres,
    },
    Entrant {
        name: "irongate-sqlite",
        what: "chat-svc on SQLite, its broker in the process; every message stored before it is delivered",
        dialect: Dialect::Irongate,
        store: Store::Sqlite,
    },
    Entrant {
        name: "socketio",
        what: "Socket.IO with its Redis adapter; stores nothing",
        dialect: Dialect::SocketIo,
        store: Store::Nothing,
    },
    Entrant {
        name: "channels",
        what: "Django Channels with channels_redis (pub/sub) under uvicorn; stores nothing",
        dialect: Dialect::Channels,
        store: Store::Nothing,
    },
    Entrant {
        name: "socketio-stored",
        what: "Socket.IO, each message first inserted into the same PostgreSQL",
        dialect: Dialect::SocketIo,
        store: Store::Postgres,
    },
    Entrant {
        name: "channels-stored",
        what: "Django Channels, each message first inserted into the same PostgreSQL",
        dialect: Dialect::Channels,
        store: Store::Postgres,
    },
];

/// Servers that all entrants use in their turn.
pub(crate) struct Surroundings<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) postgres: &'a Postgres,
    pub(crate) redis: &'a Redis,
    pub(crate) directory: &'a Path,
    pub(crate) servers_on: &'a Processors,
    pub(crate) port: u16,
}

/// An entrant that runs.
pub(crate) struct Started {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    people: Option<People>,
}

struct People {
    signer: Signer,
    line: Line,
    met: usize,
}

impl Entrant {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ENTRANTS.iter().find(|entrant| entrant.name == name)
    }

    pub(crate) fn stores(&self) -> bool {
        self.store != Store::Nothing
    }

    /// Whether Redis and PostgreSQL work for it beside the generator.
    pub(crate) fn has_helpers(&self) -> bool {
        self.store != Store::Sqlite
    }

    pub(crate) fn start(&self, around: &Surroundings<'_>) -> anyhow::Result<Started> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, around.port));
        let folder = around.directory.join(self.name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        let database = match self.store {
            Store::Nothing => None,
            Store::Sqlite => Some(format!("sqlite:{}", folder.join("chat.db").display())),
            Store::Postgres => Some(around.postgres.database("bench")?),
        };
        let mut command = match self.dialect {
            Dialect::Irongate => irongate(around, self.store, database.as_deref(), address, &folder)?,
            Dialect::SocketIo => socketio(around, address)?,
            Dialect::Channels => channels(around, address)?,
        };
        if self.dialect != Dialect::Irongate {
            command.env("REDIS_URL", &around.redis.url);
            command.envs(database.iter().map(|url| ("STORE_URL", url)));
        }
        let mut running = Running::start(self.name, command, &folder)?;
        wait_for(&format!("{} to listen", self.name), START, || {
            running.check()?;
            Ok(TcpStream::connect(address).ok())
        })?;
        // Some do the rest at the first request.
        let mut line = Line::open(address)?;
        wait_for(&format!("{} to be ready", self.name), START, || {
            let (status, _) = line.ask("GET", "/health", "", None)?;
            // Socket.IO has no page there, and answers.
            Ok((status < 500).then_some(()))
        })?;
        let people = match (self.dialect, database) {
            (Dialect::Irongate, Some(database)) => {
                let database: DatabaseUrl = database.parse().map_err(anyhow::Error::msg)?;
                let signer = Signer::install(&database)?;
                line.wait_for_key("/chat/rooms", &signer.person("probe")?)?;
                Some(People { signer, line, met: 0 })
            }
            _ => None,
        };
        Ok(Started { running, address, people })
    }
}

impl Started {
    /// Seats in `rooms` rooms, `members` in each, of whom the first `senders` send.
    pub(crate) fn seats(
        &mut self,
        rooms: usize,
        members: usize,
        senders: usize,
    ) -> anyhow::Result<Vec<Seat>> {
        let mut seats = Vec::new();
        for nth in 0..rooms {
            let mut room = format!("room-{nth}");
            for member in 0..members {
                let mut token = String::new();
                if let Some(People { signer, line, met }) = &mut self.people {
                    *met += 1;
                    let person = signer.person(&format!("member{met}"))?;
                    if member == 0 {
                        room = line.make_room(&format!("Room {met}"), &person)?;
                    } else {
                        line.join_room(&room, &person)?;
                    }
                    token = person.token;
                }
                seats.push(Seat { room: room.clone(), token, sends: member < senders });
            }
        }
        Ok(seats)
    }
}

fn irongate(
    around: &Surroundings<'_>,
    store: Store,
    database: Option<&str>,
    address: SocketAddr,
    folder: &Path,
) -> anyhow::Result<Command> {
    let mut command = pinned(around.servers_on, &around.tools.service("irongate-chat-svc")?);
    command
        .env("DATABASE_URL", database.unwrap_or_default())
        .env("IRONGATE_DATA", folder)
        .env("GATEWAY_URL", GATEWAY)
        .env("IRONGATE_CHAT__LISTEN", address.to_string())
        .env("IRONGATE_CHAT__METRICS", "off")
        // As many as it has processors, as shipped; the limits of a single user are what is in the way.
        .env("IRONGATE_CHAT__LIMITS__FRAMES_PER_SECOND", "1000000")
        .env("IRONGATE_CHAT__LIMITS__MESSAGES_PER_SECOND", "1000000")
        .env("RUST_LOG", "warn");
    if store == Store::Postgres {
        command.env("REDIS_URL", &around.redis.url);
    }
    Ok(command)
}

/// npm installs into `target/tools`, so that the sources stay clean.
fn socketio(around: &Surroundings<'_>, address: SocketAddr) -> anyhow::Result<Command> {
    let home = around.tools.directory().join("socketio");
    let sources = Path::new(PEERS).join("socketio");
    fs::create_dir_all(&home)?;
    let wanted = fs::read(sources.join("package.json"))?;
    if fs::read(home.join("package.json")).ok() != Some(wanted) || !home.join("node_modules").is_dir() {
        let npm = around.tools.provide(crate::tools::NPM)?;
        fs::copy(sources.join("package.json"), home.join("package.json"))?;
        shell(Command::new(npm).args(["install", "--no-audit", "--no-fund"]).current_dir(&home))?;
    }
    fs::copy(sources.join("server.mjs"), home.join("server.mjs"))?;
    let mut command = pinned(around.servers_on, &around.tools.provide(crate::tools::NODE)?);
    command
        .arg(home.join("server.mjs"))
        .env("PORT", address.port().to_string())
        .env("NODE_ENV", "production");
    Ok(command)
}

/// pip installs into `target/tools`.
fn channels(around: &Surroundings<'_>, address: SocketAddr) -> anyhow::Result<Command> {
    let home: PathBuf = around.tools.directory().join("channels");
    let sources = Path::new(PEERS).join("channels");
    let uvicorn = home.join("bin/uvicorn");
    let installed = home.join("requirements.txt");
    let wanted = fs::read(sources.join("requirements.txt"))?;
    if !uvicorn.is_file() || fs::read(&installed).ok() != Some(wanted) {
        shell(Command::new("python3").args(["-m", "venv"]).arg(&home))
            .context("Python 3 with venv is needed (Debian: python3-venv)")?;
        shell(
            Command::new(home.join("bin/pip"))
                .args(["install", "--quiet", "--requirement"])
                .arg(sources.join("requirements.txt")),
        )?;
        fs::copy(sources.join("requirements.txt"), &installed)?;
    }
    if !uvicorn.is_file() {
        bail!("uvicorn was installed and cannot be found");
    }
    let mut command = pinned(around.servers_on, &uvicorn);
    command
        .args(["--host", "127.0.0.1", "--port", &address.port().to_string(), "--backlog", "4096"])
        .args(["--no-access-log", "--log-level", "warning", "--app-dir"])
        .arg(&sources)
        // Compression would cost it a multiple; nobody offers it here.
        .args(["--ws-per-message-deflate", "false", "server:application"])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
