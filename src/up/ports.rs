//! Whether every port is free, asked before anything starts: one clear answer instead of four stack traces.

use std::{
    fmt::Write as _,
    fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    path::Path,
};

use anyhow::bail;

/// A loopback or public address that a program of ours is about to bind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Address {
    pub(super) program: &'static str,
    pub(super) at: SocketAddr,
    /// The variable that moves it elsewhere.
    pub(super) variable: &'static str,
}

/// Fails with every address that cannot be bound, and what to do about each.
pub(super) fn require_free(addresses: &[Address]) -> anyhow::Result<()> {
    let mut complaint = String::new();
    for Address { program, at, variable } in addresses {
        let Err(why) = TcpListener::bind(at) else { continue };
        let _ = match why.kind() {
            ErrorKind::AddrInUse => {
                let owner = owner_of(at.port()).map_or(String::new(), |owner| format!(" by {owner}"));
                write!(complaint, "port {} ({program}) is taken{owner}", at.port())
            }
            ErrorKind::PermissionDenied => write!(
                complaint,
                "port {} ({program}) is not for this account: below 1024 it takes root, or `setcap \
                 cap_net_bind_service=+ep` on this program",
                at.port()
            ),
            _ => write!(complaint, "{program} cannot listen on {at}: {why}"),
        };
        let other = SocketAddr::new(at.ip(), at.port().checked_add(100).unwrap_or(20_000));
        let _ = write!(complaint, "\n  stop that, or choose another: {variable}={other}\n");
    }
    if complaint.is_empty() { Ok(()) } else { bail!("{}", complaint.trim_end()) }
}

/// Name and number of the process that listens on `port`, where `/proc` says it: on Linux, for processes that this
/// account may look into.
fn owner_of(port: u16) -> Option<String> {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let mut entries = fs::read_dir("/proc").ok()?.flatten();
    entries.find_map(|process| {
        let number: u32 = process.file_name().to_str()?.parse().ok()?;
        let holds = |fd: &Path| {
            fs::read_link(fd)
                .is_ok_and(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
        };
        let path = process.path();
        fs::read_dir(path.join("fd")).ok()?.flatten().any(|fd| holds(&fd.path())).then(|| {
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            format!("`{}` (process {number})", name.trim())
        })
    })
}

/// Lines of `/proc/net/tcp`: `sl local_address rem_address st … uid timeout inode …`, numbers in hexadecimal.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let port = format!(":{port:04X}");
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, state, _, _, _, _, _, inode, ..] = fields.as_slice() else { return None };
        (local.ends_with(&port) && *state == LISTEN).then(|| (*inode).to_owned())
    };
    table.lines().filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(at: SocketAddr) -> Address {
        Address { program: "chat-svc", at, variable: "IRONGATE_CHAT__LISTEN" }
    }

    #[test]
    fn a_taken_port_is_named_with_its_owner_and_the_variable_that_moves_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();

        let refused = require_free(&[address(at)]).unwrap_err().to_string();

        assert!(refused.starts_with(&format!("port {} (chat-svc) is taken by `", at.port())), "{refused}");
        assert!(refused.contains(&format!("(process {})", std::process::id())), "{refused}");
        assert!(refused.contains("choose another: IRONGATE_CHAT__LISTEN=127.0.0.1:"), "{refused}");
    }

    #[test]
    fn every_taken_port_is_named_at_once() {
        let taken: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<Address> = taken.iter().map(|one| address(one.local_addr().unwrap())).collect();

        let refused = require_free(&addresses).unwrap_err().to_string();

        assert_eq!(refused.matches("is taken").count(), 2, "{refused}");
    }

    #[test]
    fn free_ports_are_no_complaint() {
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

        assert!(require_free(&[address(at)]).is_ok());
    }
}
