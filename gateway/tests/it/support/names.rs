//! Name servers: dnsmasq, and one of our own that misbehaves on order.

use std::{
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    task::JoinSet,
};

/// The name that is asked for.
pub(crate) const NAME: &str = "api.test";

/// dnsmasq on a port of its own, which knows one name; stopped when dropped.
pub(crate) struct Dnsmasq {
    pub(crate) port: u16,
    directory: tempfile::TempDir,
    process: Child,
}

impl Dnsmasq {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("hosts"), "").unwrap();
        let port = super::free_port();
        let process = Command::new(program())
            .args(["--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces", "--pid-file"])
            .args(["--listen-address=127.0.0.1", "--local=/test/", "--local-ttl=1", "--conf-file=/dev/null"])
            .arg(format!("--port={port}"))
            .arg(format!("--addn-hosts={}", directory.path().join("hosts").display()))
            // Started by root it would become somebody who may not read the directory.
            .arg("--user=root")
            .stdout(Stdio::null())
            .spawn()
            .expect("dnsmasq (Debian: dnsmasq-base)");
        super::until_listening(port).await;
        Self { port, directory, process }
    }

    pub(crate) fn set(&self, addresses: &[&str]) {
        let lines: String = addresses.iter().map(|address| format!("{address} {NAME}\n")).collect();
        fs::write(self.directory.path().join("hosts"), lines).unwrap();
        let told = Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status().unwrap();
        assert!(told.success());
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian keeps it off the path of people who are not root.
fn program() -> PathBuf {
    let there = PathBuf::from("/usr/sbin/dnsmasq");
    if there.exists() { there } else { PathBuf::from("dnsmasq") }
}

const A: [u8; 2] = [0, 1];

#[derive(Clone, Debug, Default)]
struct Known {
    addresses: Vec<Ipv4Addr>,
    /// Answers over UDP are said to be cut.
    only_tcp: bool,
}

/// Answers every A question with what it was told last; before each answer over UDP it sends a forged one.
pub(crate) struct NameServer {
    pub(crate) port: u16,
    known: Arc<Mutex<Known>>,
    _tasks: JoinSet<()>,
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let (udp, tcp) = both().await;
        let port = udp.local_addr().unwrap().port();
        let known = Arc::new(Mutex::new(Known::default()));
        let mut tasks = JoinSet::new();
        let shared = known.clone();
        tasks.spawn(async move {
            let mut question = [0; 512];
            loop {
                let Ok((size, from)) = udp.recv_from(&mut question).await else { continue };
                let known = shared.lock().unwrap().clone();
                let mut forged = answer(&question[..size], &[Ipv4Addr::new(6, 6, 6, 6)], false);
                forged[0] ^= 0xff;
                let shown = if known.only_tcp { &[][..] } else { &known.addresses };
                let _ = udp.send_to(&forged, from).await;
                let _ = udp.send_to(&answer(&question[..size], shown, known.only_tcp), from).await;
            }
        });
        let shared = known.clone();
        tasks.spawn(async move {
            loop {
                let Ok((mut stream, _)) = tcp.accept().await else { return };
                let Ok(size) = stream.read_u16().await else { continue };
                let mut question = vec![0; size.into()];
                if stream.read_exact(&mut question).await.is_err() {
                    continue;
                }
                let known = shared.lock().unwrap().clone();
                let answer = answer(&question, &known.addresses, false);
                let _ = stream.write_u16(answer.len() as u16).await;
                let _ = stream.write_all(&answer).await;
            }
        });
        Self { port, known, _tasks: tasks }
    }

    pub(crate) fn set(&self, addresses: &[&str]) {
        self.known.lock().unwrap().addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
    }

    pub(crate) fn only_tcp(&self) {
        self.known.lock().unwrap().only_tcp = true;
    }
}

/// A UDP port and the TCP port of the same number.
async fn both() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

fn answer(question: &[u8], addresses: &[Ipv4Addr], cut: bool) -> Vec<u8> {
    let kind = &question[question.len() - 4..question.len() - 2];
    let addresses = if kind == A { addresses } else { &[] };
    let mut text = question.to_vec();
    text[2] = if cut { 0x83 } else { 0x81 };
    // A name without an address is said not to exist, as Docker does.
    text[3] = if addresses.is_empty() && kind == A && !cut { 0x83 } else { 0x80 };
    text[6..8].copy_from_slice(&(addresses.len() as u16).to_be_bytes());
    for address in addresses {
        text.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        text.extend_from_slice(&address.octets());
    }
    text
}
