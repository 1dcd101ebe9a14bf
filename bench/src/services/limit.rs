//! The least that a request could cost: hashing alone, its statements alone, the check of its token alone.

use std::{
    fs,
    hint::black_box,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use irongate_shared::{clock::Clock, config::DatabaseUrl, db::Database, token::Verifier};
use rustix::time::{ClockId, clock_gettime};

use super::{Backend, Work, load::Measured, report::Row};
use crate::{
    chat::people::{GATEWAY, Signer},
    process::{Processors, pin_this_process},
    servers::Postgres,
};

/// Tokens that are checked for the first time.
const FRESH: usize = 500;

/// What somebody who does only the necessary does.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Limit {
    pub(super) what: &'static str,
    pub(super) per_second: f64,
    /// Processor time in the place of the service.
    pub(super) cpu_micros: f64,
    pub(super) postgres_micros: f64,
}

impl Limit {
    /// The mean of two measurements.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            what: self.what,
            per_second: f64::midpoint(self.per_second, other.per_second),
            cpu_micros: f64::midpoint(self.cpu_micros, other.cpu_micros),
            postgres_micros: f64::midpoint(self.postgres_micros, other.postgres_micros),
        }
    }
}

/// Passwords checked on all of `processors`, one thread each.
pub(super) fn bcrypt(
    password: &str,
    cost: u32,
    processors: &Processors,
    time: Duration,
) -> anyhow::Result<Limit> {
    let hash = ::bcrypt::hash(password, cost)?;
    let check = || -> anyhow::Result<(u32, f64, f64)> {
        // This thread alone: it inherits the generator's processors.
        pin_this_process(processors)?;
        let (began, spent) = (Instant::now(), thread_time());
        let mut checked = 0;
        while began.elapsed() < time || checked == 0 {
            ensure!(::bcrypt::verify(password, &hash)?, "bcrypt refuses the right password");
            checked += 1;
        }
        Ok((checked, thread_time() - spent, began.elapsed().as_secs_f64()))
    };
    let done = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..processors.count()).map(|_| scope.spawn(check)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a thread that hashes panicked")?)
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let checked: u32 = done.iter().map(|(checked, ..)| checked).sum();
    let spent: f64 = done.iter().map(|(_, spent, _)| spent).sum();
    Ok(Limit {
        what: "bcrypt alone",
        per_second: done.iter().map(|(checked, _, took)| f64::from(*checked) / took).sum(),
        cpu_micros: spent * 1e6 / f64::from(checked),
        postgres_micros: 0.0,
    })
}

/// Processor time of this thread, in seconds.
fn thread_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// `script`, prepared once and asked by pgbench over as many connections as the service would be.
pub(super) fn pgbench(
    postgres: &Postgres,
    on: &Processors,
    script: &str,
    clients: usize,
    time: Duration,
) -> anyhow::Result<Limit> {
    let path = postgres.directory().join("script.sql");
    fs::write(&path, script)?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "taskset", "--cpu-list"]).arg(on.to_string());
    command.arg(postgres.program("pgbench"));
    command.args(["--no-vacuum", "--protocol=prepared", "--host=127.0.0.1", "--username=postgres"]);
    command.arg(format!("--port={}", postgres.port())).arg(format!("--client={clients}"));
    command.arg(format!("--time={}", time.as_secs().max(1))).arg("--file").arg(&path).arg("services");
    let before = (children_time(), postgres.running.cpu_time());
    let output = command.output().context("starting pgbench")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "pgbench failed: {said}{}", String::from_utf8_lossy(&output.stderr));
    let after = (children_time(), postgres.running.cpu_time());
    let number = |before: &str| -> anyhow::Result<f64> {
        let line = said.lines().find_map(|line| line.strip_prefix(before));
        let word = line.and_then(|line| line.split([' ', '/']).find(|word| !word.is_empty()));
        word.and_then(|word| word.parse().ok()).with_context(|| format!("no `{before}` in {said}"))
    };
    let done = number("number of transactions actually processed:")?;
    let micros = |spent: f64| spent * 1e6 / done.max(1.0);
    Ok(Limit {
        what: "its statements alone, by pgbench",
        per_second: number("tps =")?,
        cpu_micros: micros(after.0 - before.0),
        postgres_micros: micros(after.1.saturating_sub(before.1).as_secs_f64()),
    })
}

/// Processor time of children that have ended, in seconds.
fn children_time() -> f64 {
    // Fields 16 and 17 of proc_pid_stat(5), behind the name in parentheses.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [13, 14].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// What `GET /user/me` asks.
pub(super) fn me_script(user: &str) -> String {
    format!(
        "SELECT id, username, username_key, email, email_key, email_verified, display_name, search_key, bio, role, \
         avatar, version, created_at_ms, updated_at_ms, locked_at_ms, deleted_at_ms \
         FROM users WHERE id = '{user}' AND deleted_at_ms IS NULL;\n"
    )
}

/// What a page of a room's history asks.
pub(super) fn history_script(room: &str, user: &str, messages: usize) -> String {
    // The page's seqs: those of the newest messages.
    let last = messages + super::USERS;
    let seqs: Vec<String> = (last.saturating_sub(49)..=last).map(|seq| seq.to_string()).collect();
    format!(
        "SELECT id, kind, name, topic, created_by, last_seq, member_count, created_at_ms \
         FROM rooms WHERE id = '{room}';\n\
         SELECT role, last_read_seq, muted_until_ms FROM members WHERE room_id = '{room}' AND user_id = '{user}';\n\
         SELECT room_id, seq, sender_id, client_id, body, reply_to, created_at_ms, edited_at_ms, deleted_at_ms \
         FROM messages WHERE room_id = '{room}' AND seq < 9223372036854775807 ORDER BY seq DESC LIMIT 50;\n\
         SELECT seq, emoji, user_id FROM reactions WHERE room_id = '{room}' AND seq = ANY ('{{{}}}') \
         ORDER BY created_at_ms, user_id;\n",
        seqs.join(",")
    )
}

/// What the rotation of a refresh token reads and writes; each client is one of these users.
pub(super) fn refresh_script(users: &[&str]) -> String {
    let users: Vec<String> = users.iter().map(|user| format!("'{user}'")).collect();
    format!(
        "\\set nth :client_id + 1\n\
         BEGIN;\n\
         SELECT hash, session_id AS session, salt, replaced_at_ms FROM refresh_tokens WHERE session_id = (SELECT id \
         FROM sessions WHERE user_id = (ARRAY[{}])[:nth] ORDER BY id DESC LIMIT 1) LIMIT 1 \\gset\n\
         SELECT id, user_id, ended_at_ms, expires_at_ms FROM sessions WHERE id = :session;\n\
         SELECT user_id, password_hash FROM credentials WHERE user_id = (ARRAY[{}])[:nth];\n\
         UPDATE refresh_tokens SET replaced_at_ms = 1 WHERE hash = :hash;\n\
         INSERT INTO refresh_tokens (hash, session_id, salt, created_at_ms, expires_at_ms) VALUES \
         (decode(md5(random()::text) || md5(random()::text), 'hex'), :session, '\\x00', 1, 9999999999999);\n\
         UPDATE sessions SET last_used_at_ms = 1 WHERE id = :session;\n\
         END;\n",
        users.join(","),
        users.join(",")
    )
}

/// The check of one token over and over, and of tokens that were never seen before.
pub(super) fn verification(
    database: &DatabaseUrl,
    signer: &Signer,
    time: Duration,
) -> anyhow::Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let database = Database::open(database, 1).await?;
        let verifier = Verifier::new(database, GATEWAY, Clock::system());
        let known = signer.person("known")?.token;
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(why) = verifier.verify(&known).await {
            ensure!(Instant::now() < deadline, "a token is not accepted: {why}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (began, spent, mut seen) = (Instant::now(), thread_time(), 0u64);
        while began.elapsed() < time {
            for _ in 0..100 {
                black_box(verifier.verify(black_box(&known)).await?);
            }
            seen += 100;
        }
        let again = row("token seen before", seen, began.elapsed(), thread_time() - spent);

        let fresh: Vec<String> = (0..FRESH)
            .map(|nth| Ok(signer.person(&format!("fresh{nth}"))?.token))
            .collect::<anyhow::Result<_>>()?;
        let (began, spent) = (Instant::now(), thread_time());
        for token in &fresh {
            black_box(verifier.verify(token).await?);
        }
        let done = u64::try_from(fresh.len())?;
        let first = row("new token", done, began.elapsed(), thread_time() - spent);
        Ok(vec![again, first])
    })
}

fn row(part: &'static str, done: u64, took: Duration, spent: f64) -> Row {
    let seconds = took.as_secs_f64();
    let measured = Measured {
        answered: done,
        seconds,
        per_second: done as f64 / seconds,
        cpu_micros: spent * 1e6 / done.max(1) as f64,
        busy: spent / seconds,
        ..Measured::default()
    };
    Row { work: Work::Verify, part, backend: Backend::Sqlite, measured, limit: None }
}
