//! PostgreSQL, private to this process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::disk::SmallDisk;
use crate::free_port;
use crate::guard::{Account, Guard};
use crate::wait::comes_true;

/// What is used of an installation; all from one folder, so that the versions fit.
const PROGRAMS: [&str; 6] = ["initdb", "postgres", "psql", "createdb", "dropdb", "pg_basebackup"];

/// A server on a loopback port, with durability switched off: its data do not outlive it.
pub struct Postgres {
    guard: Guard,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// The server that all tests of this process share, started by the first that asks.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own, for a test that stops it.
    ///
    /// # Panics
    ///
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server of its own with these settings: `["max_connections=20"]`.
    ///
    /// # Panics
    ///
    /// When PostgreSQL is not installed, or does not start with them.
    pub fn start_with(settings: &[&str]) -> Self {
        Self::start_over(init, settings)
    }

    /// A copy that follows this server, only read until it is [promoted](Self::promote). From now on a transaction is
    /// acknowledged only when the copy has it too.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn standby(&self) -> Self {
        let copy = |programs: &Path, data: &str, account: Option<Account>| {
            let mut backup = Command::new(program(programs, "pg_basebackup"));
            backup.args(["-h", &self.guard.directory().display().to_string(), "-p", &self.port.to_string()]);
            backup.args([
                "-U",
                "postgres",
                "-D",
                data,
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ]);
            run_as(account, backup);
        };
        let standby = Self::start_over(copy, &[]);
        self.query("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'").expect("ask for the copy");
        self.query("postgres", "SELECT pg_reload_conf()").expect("take the setting in");
        let follows = comes_true(Duration::from_secs(60), || {
            let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
            self.query("postgres", synchronous).is_ok_and(|count| count == "1")
        });
        assert!(follows, "the standby does not follow\n{}", standby.guard.log());
        standby
    }

    /// Makes a standby a server of its own that takes writes.
    ///
    /// # Panics
    ///
    /// When it does not become one.
    pub fn promote(&self) {
        let promoted = self.query("postgres", "SELECT pg_promote()");
        assert_eq!(promoted.as_deref(), Ok("t"), "{}", self.guard.log());
    }

    fn start_over(fill: impl FnOnce(&Path, &str, Option<Account>), settings: &[&str]) -> Self {
        let programs = programs();
        let directory =
            tempfile::Builder::new().prefix("irongate-postgres-").tempdir().expect("make a directory");
        let port = free_port();
        let account = Account::for_servers();
        let path = directory.path().to_str().expect("a temporary directory has a plain name").to_owned();
        let data = format!("{path}/data");
        if let Some(account) = account {
            account.own(directory.path());
        }
        fill(&programs, &data, account);

        let postgres = program(&programs, "postgres");
        let port_text = port.to_string();
        let mut command = vec![
            &*postgres,
            "-D",
            &data,
            "-p",
            &port_text,
            "-k",
            &path,
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "synchronous_commit=off",
            "-c",
            "full_page_writes=off",
            // Each service under test keeps a pool, and tests run side by side.
            "-c",
            "max_connections=400",
        ];
        command.extend(settings.iter().flat_map(|setting| ["-c", setting]));
        let server = Self { guard: Guard::new(directory, account, &command), programs, port };
        server.start_again();
        server
    }

    /// Creates an empty database, dropped with the value returned.
    pub fn database(&self) -> Database<'_> {
        self.create(&[])
    }

    /// Creates an empty database whose tables are on `disk`; the log of transactions stays elsewhere.
    pub fn database_on(&self, disk: &SmallDisk) -> Database<'_> {
        let folder = disk.path().join("tables");
        std::fs::create_dir(&folder).expect("make a directory on the small disk");
        if let Some(account) = Account::for_servers() {
            account.own(&folder);
        }
        self.query("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", folder.display()))
            .expect("create a tablespace");
        self.create(&["--tablespace=small"])
    }

    fn create(&self, options: &[&str]) -> Database<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.run("createdb", &[options, &[&*name]].concat()).expect("create a database");
        let url = format!("postgres://postgres@127.0.0.1:{}/{name}", self.port);
        Database { server: self, name, url }
    }

    /// The port on 127.0.0.1, for a test that puts a proxy in between.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server; its data stay for [`start_again`](Self::start_again).
    pub fn stop(&self) {
        self.guard.tell("stop");
    }

    /// Starts the server on the same port over the same data, and waits until it takes queries.
    pub fn start_again(&self) {
        self.guard.tell("start");
        let mut last = Ok(String::new());
        let ready = comes_true(Duration::from_secs(60), || {
            last = self.run("psql", &["-qc", "SELECT 1", "postgres"]);
            last.is_ok()
        });
        assert!(ready, "PostgreSQL takes no queries: {last:?}\n{}", self.guard.log());
    }

    /// Ends the server as a crash does: it writes nothing down, and recovers at the next start.
    pub fn crash(&self) {
        self.guard.tell("crash");
    }

    /// Freezes the server and all its processes: connections stay open, nothing answers.
    pub fn pause(&self) {
        self.guard.tell("pause");
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.guard.tell("resume");
    }

    /// Runs one statement as the superuser; gives what it returned, a line a row.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub fn query(&self, database: &str, sql: &str) -> Result<String, String> {
        self.run("psql", &["-qtAc", sql, database])
    }

    fn run(&self, name: &str, args: &[&str]) -> Result<String, String> {
        let output = Command::new(program(&self.programs, name))
            // By the socket in our own directory: whoever else may have taken the port is not mistaken for us.
            .args(["-h", &self.guard.directory().display().to_string(), "-p", &self.port.to_string()])
            .args(["-U", "postgres"])
            .args(args)
            .output()
            .map_err(|error| format!("{name}: {error}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// An empty database of one test; dropping this drops it, with whoever is still connected.
pub struct Database<'server> {
    server: &'server Postgres,
    name: String,
    url: String,
}

impl Database<'_> {
    /// As `DATABASE_URL` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name at the server.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // A test may have stopped the server; then the database goes with its directory.
        let _ = self.server.run("dropdb", &["--force", &self.name]);
    }
}

fn init(programs: &Path, data: &str, account: Option<Account>) {
    let mut initdb = Command::new(program(programs, "initdb"));
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", data]);
    run_as(account, initdb);
}

fn run_as(account: Option<Account>, mut command: Command) {
    command.current_dir("/");
    if let Some(account) = account {
        account.assume(&mut command);
    }
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn program(programs: &Path, name: &str) -> String {
    programs.join(name).display().to_string()
}

/// The folder of PostgreSQL's programs: Debian keeps the server's off the PATH.
fn programs() -> PathBuf {
    let mut folders = Vec::new();
    for versions in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let Ok(entries) = std::fs::read_dir(versions) else { continue };
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
        found.sort();
        folders.extend(found.into_iter().rev());
    }
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let complete = |folder: &PathBuf| PROGRAMS.iter().all(|program| folder.join(program).exists());
    folders.into_iter().find(complete).expect(
        "PostgreSQL is not installed: `./just test` installs it (Debian: `apt-get install postgresql`)",
    )
}
