//! PostgreSQL and Redis of one run: private, on ports of their own, durable as in production.
//!
//! The servers of the tests are no use here: they keep nothing on disk, and a durable message costs a flush.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use diesel::RunQueryDsl as _;
use irongate_shared::{config::DatabaseUrl, db::Db};

use crate::{
    process::{Processors, Running, wait_for},
    tools::{Program, Tools},
};

const START: Duration = Duration::from_secs(30);

const REDIS: Program = Program::Debian { name: "redis-server", package: "redis-server" };

/// A PostgreSQL with Debian's defaults but for what is said in [`Postgres::start`].
#[derive(Debug)]
pub(crate) struct Postgres {
    pub(crate) running: Running,
    port: u16,
    programs: PathBuf,
    directory: PathBuf,
}

impl Postgres {
    pub(crate) fn start(tools: &Tools, on: &Processors, directory: &Path, port: u16) -> anyhow::Result<Self> {
        let programs = match programs() {
            Some(programs) => programs,
            None => {
                tools.install_package("postgresql")?;
                programs().context("PostgreSQL was installed and its programs cannot be found")?
            }
        };
        let home = directory.join("postgres");
        fs::create_dir(&home)?;
        if is_root() {
            // It refuses to run as root.
            let (user, group) = (number_of("-u")?, number_of("-g")?);
            std::os::unix::fs::chown(&home, Some(user), Some(group))?;
        }
        let data = home.join("data");
        let mut init = as_nobody(&[]);
        init.arg(programs.join("initdb"));
        init.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]).arg(&data);
        let made = init.current_dir("/").output().context("starting initdb")?;
        ensure!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));

        let mut command = as_nobody(&["--pdeathsig", "TERM"]);
        command.args(["taskset", "--cpu-list"]).arg(on.to_string()).arg(programs.join("postgres"));
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]).arg("-k").arg(&home);
        for setting in [
            "listen_addresses=127.0.0.1",
            "max_connections=200",
            "shared_buffers=256MB",
            // No checkpoint in the middle of a measurement.
            "max_wal_size=8GB",
            "checkpoint_timeout=30min",
        ] {
            command.args(["-c", setting]);
        }
        command.current_dir("/");
        let mut running = Running::start("postgres", command, directory)?;
        let url = url(port, "postgres")?;
        wait_for("PostgreSQL to take queries", START, || {
            running.check()?;
            Ok(Db::open(&url).ok())
        })?;
        Ok(Self { running, port, programs, directory: directory.to_owned() })
    }

    /// The address of a new, empty database.
    pub(crate) fn database(&self, name: &str) -> anyhow::Result<String> {
        let mut db = Db::open(&url(self.port, "postgres")?)?;
        diesel::sql_query(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).execute(&mut db)?;
        diesel::sql_query(format!("CREATE DATABASE {name}")).execute(&mut db)?;
        Ok(address(self.port, name))
    }

    /// A program that came with the server: `pgbench`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where files of the run may lie.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

fn address(port: u16, name: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{name}")
}

fn url(port: u16, name: &str) -> anyhow::Result<DatabaseUrl> {
    address(port, name).parse().map_err(anyhow::Error::msg)
}

/// A Redis that keeps nothing on disk.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) running: Running,
    pub(crate) url: String,
}

impl Redis {
    pub(crate) fn start(tools: &Tools, on: &Processors, directory: &Path, port: u16) -> anyhow::Result<Self> {
        let mut command = crate::process::pinned(on, &tools.provide(REDIS)?);
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(directory);
        let mut running = Running::start("redis", command, directory)?;
        wait_for("Redis to listen", START, || {
            running.check()?;
            Ok(std::net::TcpStream::connect(("127.0.0.1", port)).ok())
        })?;
        Ok(Self { running, url: format!("redis://127.0.0.1:{port}") })
    }
}

/// `setpriv` with `options`, and as an unprivileged user when this is root.
fn as_nobody(options: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
    }
    command.args(options);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn number_of(what: &str) -> anyhow::Result<u32> {
    let output = Command::new("id").args([what, "nobody"]).output().context("starting id")?;
    String::from_utf8_lossy(&output.stdout).trim().parse().context("the number of the user `nobody`")
}

/// One folder that has all that is used of an installation. Debian keeps the server's programs off the PATH, and some
/// keep a few of them on it: the newest of Debian's goes first.
fn programs() -> Option<PathBuf> {
    let mut folders: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let complete = |folder: &PathBuf| {
        ["initdb", "postgres", "pgbench"].iter().all(|program| folder.join(program).is_file())
    };
    folders.into_iter().find(complete)
}
