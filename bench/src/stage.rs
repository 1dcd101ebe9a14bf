//! What all peers of a run share: the certificate, the files, the backend behind them, ports and processors.

use std::{
    cell::Cell,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    certificate,
    load::own::client::{self, Client},
    process::{Processors, Running, pinned, wait_for},
    tools::Tools,
};

/// How the peers reach the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Upstream {
    Tcp,
    Unix,
}

/// The files that are served, and their sizes.
const FILES: [(&str, usize); 3] = [("1k.bin", 1 << 10), ("16k.bin", 16 << 10), ("1m.bin", 1 << 20)];
/// A script that compresses as scripts do.
pub(crate) const SCRIPT: usize = 32 << 10;
const SOCKET: &str = "backend.sock";
const START: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Stage {
    /// Gone with its content when the run ends.
    directory: tempfile::TempDir,
    pub(crate) upstream: Upstream,
    pub(crate) peers_on: Processors,
    pub(crate) load_on: Processors,
    backend: SocketAddr,
    _backend: Running,
    ports: Ports,
}

impl Stage {
    /// Prepares everything and starts the backend, which listens on so many loopback addresses.
    pub(crate) fn set(
        tools: &Tools,
        upstream: Upstream,
        peers_on: Processors,
        load_on: Processors,
        first_port: u16,
        backends: usize,
    ) -> anyhow::Result<Self> {
        allow_many_connections()?;
        let directory = tempfile::Builder::new().prefix("irongate-bench-").tempdir()?;
        // The workers of some peers give up root, and must still find their files.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        certificate::write(directory.path())?;
        write_files(&directory.path().join("static"))?;
        let ports = Ports::from(first_port);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.take()?));
        let mut command = pinned(&load_on, &tools.own);
        command.arg("backend");
        for nth in 0..backends {
            command.arg(format!("--tcp={}", loopback(nth, address.port())));
        }
        command.arg("--unix").arg(directory.path().join(SOCKET));
        let mut backend = Running::start("backend", command, directory.path())?;
        wait_for("the backend to answer", START, || {
            backend.check()?;
            Ok(ask(address, false, "/health", &[]).ok().filter(|answer| answer.status == 200))
        })?;
        Ok(Self { directory, upstream, peers_on, load_on, backend: address, _backend: backend, ports })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn backend_port(&self) -> u16 {
        self.backend.port()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join(SOCKET)
    }

    pub(crate) fn port(&self) -> anyhow::Result<u16> {
        self.ports.take()
    }
}

/// One of many addresses of this machine, all of which lead to the one backend.
pub(crate) fn loopback(nth: usize, port: u16) -> SocketAddr {
    let last = u8::try_from(nth + 1).unwrap_or(u8::MAX);
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port))
}

#[derive(Debug)]
pub(crate) struct Ports {
    next: Cell<u16>,
}

impl From<u16> for Ports {
    fn from(first: u16) -> Self {
        Self { next: first.into() }
    }
}

impl Ports {
    /// The next free port on loopback, counted upwards, so that a run stays in one range.
    pub(crate) fn take(&self) -> anyhow::Result<u16> {
        loop {
            let port = self.next.get();
            self.next.set(port.checked_add(1).context("no port is left")?);
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
    }
}

/// Asks once over a new connection.
pub(crate) fn ask(
    address: SocketAddr,
    tls: bool,
    path: &str,
    headers: &[(&str, &str)],
) -> anyhow::Result<client::Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let tls = if tls { Some(client::tls(false)?) } else { None };
        let asked = async {
            let mut client = Client::connect(address, tls.as_ref()).await?;
            client.exchange(&client::get(path, headers)).await
        };
        match tokio::time::timeout(Duration::from_secs(5), asked).await {
            Ok(answer) => Ok(answer?),
            Err(_) => bail!("no answer within five seconds"),
        }
    })
}

fn write_files(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir(directory)?;
    for (name, size) in FILES {
        fs::write(directory.join(name), vec![b'x'; size])?;
    }
    fs::write(directory.join("index.html"), "<!doctype html><title>Bench</title>\n")?;
    let mut script = String::new();
    let mut nth = 0;
    while script.len() < SCRIPT {
        script.push_str(&format!(
            "export function handler{nth}(event) {{ return event.target.value + {nth}; }}\n"
        ));
        nth += 1;
    }
    script.truncate(SCRIPT);
    fs::write(directory.join("app.js"), script)?;
    Ok(())
}

/// Two descriptors per connection and 1,000 connections are more than the usual 1,024.
pub(crate) fn allow_many_connections() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("raising the limit of open files")
}
