//! `irongate up` on free ports over data of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use irongate_test_servers::{Database, Postgres, Redis, SmallDisk, eventually, free_port, wait_until};
use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{Answer, Person, site::browserlike};

/// A debug build, four programs and a cold machine: nothing here is about speed.
const START_LIMIT: Duration = Duration::from_secs(120);
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What the system keeps its data in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    /// SQLite and no Redis, as a newcomer has it.
    Embedded,
    /// PostgreSQL and Redis.
    Production,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Auth,
    User,
    Chat,
}

impl Service {
    pub(crate) const ALL: [Self; 3] = [Self::Auth, Self::User, Self::Chat];

    /// Its name in `gateway.toml`, in health reports and in paths.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::User => "user",
            Self::Chat => "chat",
        }
    }
}

/// A data directory and free ports for a system, which may be started over them more than once.
pub(crate) struct Setup {
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) admin: u16,
    /// Everything that the system keeps.
    data: PathBuf,
    /// What is typed before our commands, if anything.
    inside: Vec<String>,
    environment: Vec<(String, String)>,
    /// Held so that it lives as long as the data.
    _servers: (Option<Database<'static>>, Option<Redis>),
    _directory: Option<TempDir>,
}

impl Setup {
    pub(crate) fn new(backend: Backend) -> Self {
        let directory = tempfile::Builder::new().prefix("irongate-system-").tempdir().unwrap();
        let data = directory.path().join("data");
        let mut setup = Self::over(&data, data.clone());
        setup._directory = Some(directory);
        if let Backend::Production = backend {
            let (database, redis) = (Postgres::shared().database(), Redis::start());
            setup.set("DATABASE_URL", database.url());
            setup.set("REDIS_URL", &redis.url());
            setup._servers = (Some(database), Some(redis));
        }
        setup
    }

    /// Over a PostgreSQL of the test's own, which may come to harm.
    pub(crate) fn on(database_url: &str) -> Self {
        let mut setup = Self::new(Backend::Embedded);
        setup.set("DATABASE_URL", database_url);
        setup
    }

    /// Takes more messages than one person types.
    pub(crate) fn generous(mut self) -> Self {
        self.set("IRONGATE_CHAT__LIMITS__MESSAGES_PER_SECOND", "1000");
        self
    }

    /// Over SQLite, with everything that the system keeps on a disk that can be filled.
    pub(crate) fn on_disk(disk: &SmallDisk) -> Self {
        let mut setup = Self::over(&disk.path_inside().join("data"), disk.path().join("data"));
        setup.inside = disk.inside();
        setup
    }

    /// `kept` is the data directory as the system is told it, `data` as we see it.
    fn over(kept: &Path, data: PathBuf) -> Self {
        let (http, https, admin) = (free_port(), free_port(), free_port());
        let mut environment = vec![
            ("IRONGATE_DATA".to_owned(), kept.display().to_string()),
            ("IRONGATE_GATEWAY__LISTEN__HTTP".to_owned(), format!("127.0.0.1:{http}")),
            ("IRONGATE_GATEWAY__LISTEN__HTTPS".to_owned(), format!("127.0.0.1:{https}")),
            ("IRONGATE_GATEWAY__ADMIN__LISTEN".to_owned(), format!("127.0.0.1:{admin}")),
        ];
        for service in Service::ALL {
            let prefix = format!("IRONGATE_{}", service.name().to_uppercase());
            environment.push((format!("{prefix}__METRICS"), "off".to_owned()));
        }
        // The least that bcrypt has: a sign-in is no subject here.
        environment.push(("IRONGATE_AUTH__BCRYPT_COST".to_owned(), "4".to_owned()));
        environment.push(("IRONGATE_USER__BCRYPT_COST".to_owned(), "4".to_owned()));
        Self {
            http,
            https,
            admin,
            data,
            inside: Vec::new(),
            environment,
            _servers: (None, None),
            _directory: None,
        }
    }

    /// `irongate` with these settings and nothing of the environment in which the tests run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_irongate").to_owned();
        let words: Vec<_> = self.inside.iter().chain([&program]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(arguments)
            // The shipped gateway.toml and static/ are part of what is tested.
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// `irongate create-admin`, as a script runs it.
    pub(crate) fn create_admin(&self, username: &str, password: &str) -> Output {
        let email = format!("{username}@example.org");
        let arguments = ["create-admin", "--username", username, "--email", &email, "--password-stdin"];
        let mut command = self.command(&arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        child.wait_with_output().unwrap()
    }

    /// Sets one more variable for the commands to come.
    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.environment.push((variable.to_owned(), value.to_owned()));
    }

    /// Everything that a next start needs, out of a system that has ended.
    fn take(&mut self) -> Self {
        Self {
            data: std::mem::take(&mut self.data),
            inside: std::mem::take(&mut self.inside),
            environment: std::mem::take(&mut self.environment),
            _servers: std::mem::take(&mut self._servers),
            _directory: self._directory.take(),
            ..*self
        }
    }

    pub(crate) fn path(&self, below_data: &str) -> PathBuf {
        self.data.join(below_data)
    }
}

/// A running system. Dropping it stops it and fails the test if a process is left.
pub(crate) struct System {
    pub(crate) setup: Setup,
    supervisor: Child,
    output: Arc<Mutex<String>>,
    http: Client,
}

impl System {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_over(Setup::new(backend)).await
    }

    /// Runs `irongate up` and waits until it says that everything is healthy.
    pub(crate) async fn start_over(setup: Setup) -> Self {
        irongate_shared::install_crypto_provider();
        let mut supervisor =
            setup.command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        collect(supervisor.stdout.take().unwrap(), &output);
        collect(supervisor.stderr.take().unwrap(), &output);
        let mut system = Self { setup, supervisor, output, http: Client::new() };
        eventually("`irongate up` to say that all is healthy", START_LIMIT, || {
            let ended = system.supervisor.try_wait().unwrap();
            assert!(ended.is_none(), "`irongate up` has ended: {ended:?}");
            let up = system.output().contains("Irongate 0.1.0 is up");
            async move { up }
        })
        .await;
        system.http = system.browserlike();
        system
    }

    /// Everything the system has printed.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// A client that trusts the system's own authority and nobody else, keeps cookies, follows no redirect.
    pub(crate) fn browserlike(&self) -> Client {
        browserlike(&self.authority())
    }

    /// The authority's certificate, as PEM.
    pub(crate) fn authority(&self) -> Vec<u8> {
        fs::read(self.setup.path("tls/authority.pem")).unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.setup.https)
    }

    /// GET by the TLS port, as nobody in particular.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, &self.url(path), None).await
    }

    pub(crate) async fn post(&self, path: &str, json: &Value) -> Answer {
        self.send(Method::POST, &self.url(path), Some(json)).await
    }

    /// Any request to any of the system's ports.
    pub(crate) async fn send(&self, method: Method, url: &str, json: Option<&Value>) -> Answer {
        let mut request = self.http.request(method.clone(), url);
        if let Some(json) = json {
            request = request.json(json);
        }
        let line = format!("{method} {url}");
        Answer::read(line.clone(), request.send().await.unwrap_or_else(|why| panic!("{line}: {why:?}"))).await
    }

    /// A form, as OAuth has it.
    pub(crate) async fn post_form(&self, path: &str, form: String) -> Answer {
        let request = self.http.post(self.url(path)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Answer::read(format!("POST {path}"), request.send().await.unwrap()).await
    }

    /// A request without a body by whoever holds this token.
    pub(crate) async fn send_by(&self, token: &str, method: Method, path: &str) -> Answer {
        let line = format!("{method} {path}");
        let request = self.http.request(method, self.url(path)).bearer_auth(token);
        Answer::read(line.clone(), request.send().await.unwrap_or_else(|why| panic!("{line}: {why:?}"))).await
    }

    /// What the dashboard shows, from the listener that works without any service.
    pub(crate) async fn dashboard(&self) -> Value {
        let token = fs::read_to_string(self.setup.path("admin-token")).unwrap();
        let url = format!("http://127.0.0.1:{}/admin/api/state", self.setup.admin);
        let response = self.http.get(&url).bearer_auth(token.trim()).send().await.unwrap();
        Answer::read(format!("GET {url}"), response).await.expect(200).json()
    }

    /// The dashboard's view of the first server of `service`.
    pub(crate) async fn server(&self, service: Service) -> Value {
        self.servers(service).await[0].clone()
    }

    /// The dashboard's view of all servers of `service`.
    pub(crate) async fn servers(&self, service: Service) -> Value {
        let state = self.dashboard().await;
        let upstreams = state["upstreams"].as_array().unwrap();
        let upstream = upstreams.iter().find(|upstream| upstream["name"] == service.name());
        upstream.unwrap_or_else(|| panic!("no upstream {service:?} in {state}"))["servers"].clone()
    }

    /// Waits until the dashboard shows `service` in `state`.
    pub(crate) async fn wait_for(&self, service: Service, state: &str) {
        eventually(&format!("the dashboard to show {service:?} {state}"), LIMIT, || async move {
            self.server(service).await["state"] == state
        })
        .await;
    }

    /// Somebody who has just registered and signed in.
    pub(crate) async fn newcomer(&self, name: &str) -> Person {
        let person = Person::new(self, name);
        person.register(self).await.expect(201);
        person.sign_in(self).await
    }

    pub(crate) fn pid_of(&self, service: Service) -> Option<Pid> {
        self.program(&format!("{}-svc", service.name()))
    }

    fn program(&self, word: &str) -> Option<Pid> {
        children_of(self.supervisor.id()).into_iter().find(|pid| {
            let words = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            words.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
        })
    }

    /// SIGKILL, as the kernel does when memory is short.
    pub(crate) fn kill(&self, service: Service) {
        self.signal(service, Signal::KILL);
    }

    pub(crate) fn kill_gateway(&self) {
        kill_process(self.program("gateway").expect("the gateway runs"), Signal::KILL).unwrap();
    }

    /// Whether a GET of `path` is answered at all, with a success.
    pub(crate) async fn answers(&self, path: &str) -> bool {
        self.http.get(self.url(path)).send().await.is_ok_and(|response| response.status().is_success())
    }

    /// The service stands still: its sockets stay open, nothing answers.
    pub(crate) fn pause(&self, service: Service) {
        self.signal(service, Signal::STOP);
    }

    /// Ends a [`pause`](Self::pause).
    pub(crate) fn resume(&self, service: Service) {
        self.signal(service, Signal::CONT);
    }

    fn signal(&self, service: Service, signal: Signal) {
        kill_process(self.pid_of(service).expect("the service runs"), signal).unwrap();
    }

    pub(crate) fn supervisor(&self) -> Pid {
        Pid::from_child(&self.supervisor)
    }

    /// Every process of the system but the supervisor.
    pub(crate) fn programs(&self) -> Vec<Pid> {
        children_of(self.supervisor.id())
    }

    /// Changes what is stored behind the services' backs: for a past that cannot be lived through in a test.
    pub(crate) fn rewrite(&self, sql: &str) {
        let file = self.setup.path("irongate.db").display().to_string();
        let mut database = SqliteConnection::establish(&file).unwrap();
        database.batch_execute(&format!("PRAGMA busy_timeout = 30000; {sql}")).unwrap();
    }

    /// Waits for the end that a test has brought about: how it ended, what can be started over, what was printed.
    pub(crate) fn ended(mut self) -> (ExitStatus, Setup, String) {
        let supervisor = &mut self.supervisor;
        let mut status = None;
        wait_until("the supervisor to end", LIMIT, || {
            status = supervisor.try_wait().unwrap();
            status.is_some()
        });
        let output = self.output();
        (status.unwrap(), self.setup.take(), output)
    }

    /// Stops it, for another start over the same data.
    pub(crate) fn stopped(self) -> Setup {
        kill_process(self.supervisor(), Signal::TERM).unwrap();
        let (status, setup, output) = self.ended();
        assert!(status.success(), "{output}");
        setup
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let programs = self.programs();
        // Whoever was left paused must hear the signal to stop.
        for pid in &programs {
            let _ = kill_process(*pid, Signal::CONT);
        }
        if self.supervisor.try_wait().ok().flatten().is_none() {
            let _ = kill_process(self.supervisor(), Signal::TERM);
        }
        let ended = comes_to_an_end(&mut self.supervisor);
        if std::thread::panicking() {
            eprintln!("--- what the system printed ---\n{}", self.output());
            return;
        }
        assert!(ended, "`irongate up` did not stop");
        let left: Vec<_> = programs.into_iter().filter(|pid| lives(*pid)).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

fn comes_to_an_end(supervisor: &mut Child) -> bool {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("the supervisor to end", LIMIT, || {
            supervisor.try_wait().is_ok_and(|status| status.is_some())
        });
    }));
    if outcome.is_err() {
        let _ = supervisor.kill();
    }
    outcome.is_ok()
}

pub(super) fn collect(pipe: impl Read + Send + 'static, output: &Arc<Mutex<String>>) {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    });
}

/// Whether the process runs; one that has ended and waits for its parent to notice does not.
pub(crate) fn lives(pid: Pid) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

fn children_of(parent: u32) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent)).collect()
}

/// State and parent from `/proc/PID/stat`: `PID (NAME) STATE PARENT …`, where the name may hold anything.
fn stat(pid: Pid) -> Option<(String, u32)> {
    let line = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let mut fields = line.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
