//! Whether the system serves, by the gateway's own word, at the start.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use irongate_shared::health::{Report, Status};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{log::Log, plan::Plan, summary};

const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// When the person starts to wonder.
const PATIENCE: Duration = Duration::from_secs(20);

const ANSWER_LIMIT: Duration = Duration::from_secs(3);
const LONGEST_ANSWER: u64 = 256 * 1024;

/// What does not serve, each with the reason.
type Missing = BTreeMap<String, String>;

/// Prints the summary once everything is healthy, or what is missing when that takes long. Later changes are the
/// gateway's to tell: its log says which server went down, and why.
pub(super) async fn announce(plan: Plan, log: Log) {
    let started = Instant::now();
    let mut wondered = false;
    loop {
        let missing = look(plan.health).await;
        if missing.is_empty() {
            log.say(&summary::of(&plan, started.elapsed()));
            return;
        }
        if started.elapsed() > PATIENCE && !wondered {
            wondered = true;
            log.complain(&format!("still not ready after {} s:", PATIENCE.as_secs()));
            for (name, reason) in &missing {
                log.complain(&format!("  {name}: {reason}"));
            }
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

async fn look(gateway: SocketAddr) -> Missing {
    let report = match timeout(ANSWER_LIMIT, ask(gateway)).await {
        Ok(Ok(report)) => report,
        Ok(Err(why)) => return Missing::from([("gateway".to_owned(), format!("{why:#}"))]),
        Err(_) => return Missing::from([("gateway".to_owned(), "does not answer".to_owned())]),
    };
    let missing = report.checks.into_iter().filter(|(_, check)| check.status != Status::Ok);
    missing.map(|(name, check)| (name, check.reason.unwrap_or_else(|| "not healthy".to_owned()))).collect()
}

/// One request by hand: an HTTP client would be the largest dependency of this program, for this alone.
async fn ask(gateway: SocketAddr) -> anyhow::Result<Report> {
    let mut connection = TcpStream::connect(gateway).await.context("does not listen")?;
    // HTTP/1.0, so that the answer comes whole and ends with the connection.
    connection.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = Vec::new();
    connection.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer).context("answers no text")?;
    let Some((_, body)) = answer.split_once("\r\n\r\n") else { bail!("answers no HTTP") };
    serde_json::from_str(body).context("answers no health report")
}
