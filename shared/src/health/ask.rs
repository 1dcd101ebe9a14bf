//! `--health`: a program asks the one that runs beside it how it is. Images hold no shell and no curl, so the health
//! check of a container is the program itself.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    process::ExitCode,
    time::Duration,
};

use crate::config::Listen;

/// Longer than the slowest honest `/health`, shorter than container engines wait.
const PATIENCE: Duration = Duration::from_secs(3);

/// A health document is a few hundred bytes; whatever else listens there may say more.
const MOST: u64 = 64 * 1024;

/// Prints what `/health` says. Success when it answers 200, which is when traffic should go there.
pub fn ask(listen: &Listen) -> ExitCode {
    let (done, text) = match asked(listen) {
        Ok((200, body)) => (ExitCode::SUCCESS, body),
        Ok((_, body)) => (ExitCode::FAILURE, body),
        Err(why) => (ExitCode::FAILURE, format!("{listen} does not answer: {why}")),
    };
    // Nobody is left to tell when standard output is gone; the exit code is the answer.
    let _ = writeln!(io::stdout(), "{}", text.trim());
    done
}

fn asked(listen: &Listen) -> io::Result<(u16, String)> {
    match listen {
        Listen::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&reachable(*address), PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream)
        }
        Listen::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream)
        }
    }
}

fn exchange(mut stream: impl Read + Write) -> io::Result<(u16, String)> {
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&*answer, ""));
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "that is no HTTP"))?;
    Ok((status, body.to_owned()))
}

/// Where to connect for an address to listen on: "any" is no destination.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
