//! `just bench services`: what a request costs auth-svc, user-svc and chat-svc, beside the least that it could cost.
//!
//! The limits are measured in the same run: bcrypt alone, on the processors that auth-svc has; and the same statements
//! alone, asked by pgbench in the place of the service. Everything else (generator, PostgreSQL) has processors of its
//! own.

mod flood;
mod limit;
mod load;
mod report;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use irongate_shared::config::DatabaseUrl;
use load::{Chain, Measured};
use report::{Results, Row};
use serde_json::{Value, json};

use crate::{
    chat::people::{GATEWAY, Line, Person, Signer, request},
    machine,
    process::{Processors, Running, busy_time, pin_this_process, pinned, wait_for},
    servers::Postgres,
    stage::{Ports, allow_many_connections},
    tools::Tools,
};

const START: Duration = Duration::from_secs(60);
const PASSWORD: &str = "correct horse battery staple";
/// Users who ask, each over a connection of its own.
const USERS: usize = 8;
/// Messages in the room whose history is read, a page of 50 at a time.
const MESSAGES: usize = 200;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Work {
    /// `POST /auth/login`
    Login,
    /// Ten times as many sign-ins as passwords can be checked, and two others beside them.
    Flood,
    /// `POST /auth/refresh`
    Refresh,
    /// `GET /user/me`
    Me,
    /// `GET /chat/rooms/{id}/messages`, a page of 50.
    History,
    /// No request: the check of a token, by the code that every service uses.
    Verify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is measured; absent: all.
    #[arg(long, value_delimiter = ',')]
    work: Vec<Work>,
    /// On which databases; absent: both.
    #[arg(long, value_delimiter = ',')]
    database: Vec<Backend>,
    /// How often everything is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Processors of the services, as taskset writes them.
    #[arg(long, default_value = "0")]
    servers_on: Processors,
    /// Processors of the load generator and PostgreSQL.
    #[arg(long, default_value = "1")]
    load_on: Processors,
    /// Passwords are hashed in 2^this rounds; absent: as shipped.
    #[arg(long, default_value_t = 12)]
    bcrypt_cost: u32,
    /// The first of the ports that are taken.
    #[arg(long, default_value_t = 18_800)]
    first_port: u16,
    /// The profile with which the services are built.
    #[arg(long, default_value = "release")]
    profile: String,
    /// Build nothing: take the services as they were built last, from beside this program.
    #[arg(long)]
    as_built: bool,
    /// Where the results go.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// Only try whether everything works: the services as they were built last, half a second each. No result is
    /// kept.
    #[arg(long)]
    smoke: bool,
}

#[expect(clippy::print_stdout, reason = "the results")]
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let all = [Work::Login, Work::Flood, Work::Refresh, Work::Me, Work::History, Work::Verify];
    let works = if args.work.is_empty() { all.to_vec() } else { args.work.clone() };
    let backends = if args.database.is_empty() {
        vec![Backend::Sqlite, Backend::Postgres]
    } else {
        args.database.clone()
    };
    let (time, cost, rounds) = if args.smoke {
        (Duration::from_millis(500), 4, 1)
    } else {
        (Duration::from_secs(args.seconds), args.bcrypt_cost, args.rounds.max(1))
    };
    let tools = Tools::new((!args.smoke && !args.as_built).then(|| args.profile.clone()))?;
    for service in ["irongate-auth-svc", "irongate-user-svc", "irongate-chat-svc"] {
        tools.service(service)?;
    }
    allow_many_connections()?;
    let description = machine::description();
    let directory = tempfile::Builder::new().prefix("irongate-bench-").tempdir()?;
    fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let ports = Ports::from(args.first_port);
    let postgres = Postgres::start(&tools, &args.load_on, directory.path(), ports.take()?)?;
    pin_this_process(&args.load_on)?;

    let mut results = Results::new(description, args);
    let mut failed = Vec::new();
    for backend in backends {
        let folder = directory.path().join(format!("services-{}", backend.name()));
        fs::create_dir(&folder)?;
        let database = match backend {
            Backend::Sqlite => format!("sqlite:{}", folder.join("irongate.db").display()),
            Backend::Postgres => postgres.database("services")?,
        };
        let mut stage = Stage::set(&tools, args, cost, &database, &folder, &ports)?;
        for round in 0..rounds {
            for work in &works {
                eprintln!("bench: round {}, {}, {work:?}", round + 1, backend.name());
                match stage.measure(*work, backend, time, cost, args, &postgres) {
                    Ok(rows) => results.extend(rows),
                    Err(why) => failed.push(format!("{work:?} on {}: {why:#}", backend.name())),
                }
            }
        }
    }
    println!("{}", results.markdown());
    if !args.smoke {
        let path = results.write(&args.results)?;
        eprintln!("bench: results in {}", path.display());
    }
    if !failed.is_empty() {
        bail!("not everything could be measured:\n{}", failed.join("\n"));
    }
    Ok(())
}

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// The three services over one database, and users who are signed in.
struct Stage {
    auth: Service,
    user: Service,
    chat: Service,
    database: DatabaseUrl,
    users: Vec<User>,
    room: String,
}

struct Service {
    running: Running,
    address: SocketAddr,
}

struct User {
    name: String,
    id: String,
    access: Person,
}

impl Stage {
    fn set(
        tools: &Tools,
        args: &Args,
        cost: u32,
        database: &str,
        folder: &Path,
        ports: &Ports,
    ) -> anyhow::Result<Self> {
        let start = |name: &str, prefix: &str| -> anyhow::Result<Service> {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.take()?));
            let mut command = pinned(&args.servers_on, &tools.service(&format!("irongate-{name}"))?);
            command
                .env("DATABASE_URL", database)
                .env("IRONGATE_DATA", folder)
                .env("GATEWAY_URL", GATEWAY)
                .env(format!("IRONGATE_{prefix}__LISTEN"), address.to_string())
                .env(format!("IRONGATE_{prefix}__METRICS"), "off")
                .env("RUST_LOG", "warn");
            if prefix == "CHAT" {
                command.env("IRONGATE_CHAT__LIMITS__MESSAGES_PER_SECOND", "100000");
                command.env("IRONGATE_CHAT__LIMITS__FRAMES_PER_SECOND", "100000");
            } else {
                command.env(format!("IRONGATE_{prefix}__BCRYPT_COST"), cost.to_string());
            }
            let mut running = Running::start(name, command, folder)?;
            wait_for(&format!("{name} to listen"), START, || {
                running.check()?;
                Ok(TcpStream::connect(address).ok())
            })?;
            let mut line = Line::open(address)?;
            wait_for(&format!("{name} to be healthy"), START, || {
                Ok((line.ask("GET", "/health", "", None)?.0 == 200).then_some(()))
            })?;
            Ok(Service { running, address })
        };
        let auth = start("auth-svc", "AUTH")?;
        let user = start("user-svc", "USER")?;
        let chat = start("chat-svc", "CHAT")?;
        let mut stage = Self {
            auth,
            user,
            chat,
            database: database.parse().map_err(anyhow::Error::msg)?,
            users: Vec::new(),
            room: String::new(),
        };
        stage.sign_all_in()?;
        stage.talk()?;
        Ok(stage)
    }

    fn sign_all_in(&mut self) -> anyhow::Result<()> {
        let mut register = Line::open(self.user.address)?;
        let mut login = Line::open(self.auth.address)?;
        for nth in 0..USERS {
            let name = format!("user{nth}");
            let wanted = json!({
                "username": name, "email": format!("{name}@example.com"), "password": PASSWORD,
            });
            let made = register.get_done("POST", "/user/register", "", Some(&wanted))?;
            let answer = login.get_done("POST", "/auth/login", "", Some(&sign_in(&name)))?;
            self.users.push(User {
                name,
                id: text(&made, "id")?,
                access: Person { token: text(&answer, "access_token")? },
            });
        }
        let first = self.users.first().context("a user")?;
        register.wait_for_key("/user/me", &first.access)?;
        Line::open(self.chat.address)?.wait_for_key("/chat/rooms", &first.access)
    }

    /// A room with something in it, which all users have joined.
    fn talk(&mut self) -> anyhow::Result<()> {
        let mut line = Line::open(self.chat.address)?;
        let owner = &self.users.first().context("a user")?.access;
        let room = line.make_room("Bench", owner)?;
        for user in self.users.iter().skip(1) {
            line.join_room(&room, &user.access)?;
        }
        let path = format!("/chat/rooms/{room}/messages");
        for nth in 0..MESSAGES {
            let user = self.users.get(nth % self.users.len()).context("a user")?;
            let body = format!("Message {nth}: {}", "the quick brown fox jumps over the lazy dog ".repeat(2));
            let message = json!({ "cid": format!("m{nth}"), "body": body });
            line.get_done("POST", &path, &user.access.token, Some(&message))?;
        }
        self.room = room;
        Ok(())
    }

    fn measure(
        &mut self,
        work: Work,
        backend: Backend,
        time: Duration,
        cost: u32,
        args: &Args,
        postgres: &Postgres,
    ) -> anyhow::Result<Vec<Row>> {
        // Another process's queries are PostgreSQL's processor time too: it is asked by one at a time.
        let pgbench = |script: String| -> anyhow::Result<Option<limit::Limit>> {
            if backend == Backend::Sqlite {
                return Ok(None);
            }
            limit::pgbench(postgres, &args.servers_on, &script, USERS, time).map(Some)
        };
        let row = |measured, limit| vec![Row { work, part: "", backend, measured, limit }];
        match work {
            Work::Login => {
                let requests = self
                    .users
                    .iter()
                    .map(|user| request("POST", "/auth/login", "", Some(&sign_in(&user.name))));
                let (service, chains) = (&self.auth, requests.map(Chain::Same).collect());
                // Before and after, so that what disturbs the machine disturbs both.
                let before = limit::bcrypt(PASSWORD, cost, &args.servers_on, time / 2)?;
                let measured = ask(service, chains, time, args, postgres)?;
                let after = limit::bcrypt(PASSWORD, cost, &args.servers_on, time / 2)?;
                Ok(row(measured, Some(before.and(&after))))
            }
            Work::Flood => {
                let before = limit::bcrypt(PASSWORD, cost, &args.servers_on, time / 2)?;
                let first = self.users.first().context("a user")?;
                let flood = flood::Flood {
                    sign_ins: self
                        .users
                        .iter()
                        .map(|user| request("POST", "/auth/login", "", Some(&sign_in(&user.name))))
                        .collect(),
                    per_second: flood::TIMES * before.per_second,
                    others: vec![
                        (
                            "`GET /user/me`",
                            self.user.address,
                            request("GET", "/user/me", &first.access.token, None),
                        ),
                        ("`GET /health` of auth-svc", self.auth.address, request("GET", "/health", "", None)),
                    ],
                };
                let measured = flood.run(self.auth.address, time)?;
                let after = limit::bcrypt(PASSWORD, cost, &args.servers_on, time / 2)?;
                let limit = before.and(&after);
                let row = |(part, measured): (&'static str, Measured)| Row {
                    work,
                    part,
                    backend,
                    measured,
                    limit: (part == flood::SIGN_IN).then_some(limit),
                };
                Ok(measured.into_iter().map(row).collect())
            }
            Work::Refresh => {
                // New sessions: those of an earlier round have gone on, or a flood of sign-ins pushed them out.
                let mut line = Line::open(self.auth.address)?;
                let mut chains = Vec::new();
                for user in &self.users {
                    let answer = line.get_done("POST", "/auth/login", "", Some(&sign_in(&user.name)))?;
                    chains.push(Chain::Refresh(text(&answer, "refresh_token")?));
                }
                let measured = ask(&self.auth, chains, time, args, postgres)?;
                let users: Vec<&str> = self.users.iter().map(|user| user.id.as_str()).collect();
                Ok(row(measured, pgbench(limit::refresh_script(&users))?))
            }
            Work::Me => {
                let requests =
                    self.users.iter().map(|user| request("GET", "/user/me", &user.access.token, None));
                let measured = ask(&self.user, requests.map(Chain::Same).collect(), time, args, postgres)?;
                let user = &self.users.first().context("a user")?.id;
                Ok(row(measured, pgbench(limit::me_script(user))?))
            }
            Work::History => {
                let path = format!("/chat/rooms/{}/messages?limit=50", self.room);
                let requests = self.users.iter().map(|user| request("GET", &path, &user.access.token, None));
                let measured = ask(&self.chat, requests.map(Chain::Same).collect(), time, args, postgres)?;
                let user = &self.users.first().context("a user")?.id;
                let script = limit::history_script(&self.room, user, MESSAGES);
                Ok(row(measured, pgbench(script)?))
            }
            Work::Verify => {
                // Its own key: services under test go on with theirs.
                let signer = Signer::install(&self.database)?;
                let measured = limit::verification(&self.database, &signer, time);
                signer.withdraw(&self.database)?;
                measured.map(|all| all.into_iter().map(|row| Row { work, backend, ..row }).collect())
            }
        }
    }
}

fn ask(
    service: &Service,
    chains: Vec<Chain>,
    time: Duration,
    args: &Args,
    postgres: &Postgres,
) -> anyhow::Result<Measured> {
    let reading = || (service.running.cpu_time(), postgres.running.cpu_time(), busy_time(&args.servers_on));
    let mut before = reading();
    let mut measured = load::run(service.address, chains, time, || before = reading())?;
    let after = reading();
    let (cpu, helpers) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    let available = measured.seconds * args.servers_on.count() as f64;
    measured.cpu_micros = cpu.as_secs_f64() * 1e6 / measured.answered.max(1) as f64;
    measured.postgres_micros = helpers.as_secs_f64() * 1e6 / measured.answered.max(1) as f64;
    measured.busy = cpu.as_secs_f64() / available;
    measured.others = after.2.saturating_sub(before.2).saturating_sub(cpu).as_secs_f64() / available;
    Ok(measured)
}

fn sign_in(name: &str) -> Value {
    json!({ "username": name, "password": PASSWORD, "refresh": "body" })
}

fn text(answer: &Value, field: &str) -> anyhow::Result<String> {
    let found = answer.get(field).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("no `{field}` in {answer}"))
}
