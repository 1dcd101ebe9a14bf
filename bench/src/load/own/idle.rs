//! TLS connections that asked once and now wait, as those of browsers mostly do.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Stdio},
};

use anyhow::{Context as _, bail};

use super::{
    Command, Outcome,
    client::{self, Client},
};
use crate::{load::Place, process::pinned};

/// The line that says that all connections stand.
const READY: &str = "ready";

/// A process that holds idle connections until it is dropped.
#[derive(Debug)]
pub(crate) struct Idle(Child);

impl Idle {
    /// Returns when all connections stand and each was answered once.
    pub(crate) fn open(
        place: &Place<'_>,
        address: SocketAddr,
        path: &str,
        connections: usize,
    ) -> anyhow::Result<Self> {
        let command = Command::Idle { address, path: path.to_owned(), connections };
        let mut child = pinned(place.processors, &place.tools.own)
            .arg("load")
            .args(command.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting the generator")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        if line.trim() != READY {
            let mut words = String::new();
            if let Some(mut errors) = child.stderr.take() {
                errors.read_to_string(&mut words)?;
            }
            child.wait()?;
            bail!("{connections} connections could not be opened: {words}");
        }
        Ok(Self(child))
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // The end of its standard input ends it; if it is gone already, so much the better.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The process's side.
#[expect(clippy::print_stdout, reason = "the sign the bench waits for")]
pub(super) async fn run(address: SocketAddr, path: &str, connections: usize) -> anyhow::Result<Outcome> {
    let config = client::tls(false)?;
    let request = client::get(path, &[]);
    let mut open = Vec::new();
    for nth in 0..connections {
        let mut client =
            Client::connect(address, Some(&config)).await.with_context(|| format!("connection {nth}"))?;
        client.exchange(&request).await.with_context(|| format!("the request of connection {nth}"))?;
        open.push(client);
    }
    println!("{READY}");
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(Outcome { requests: u64::try_from(open.len())?, ..Outcome::default() })
}
