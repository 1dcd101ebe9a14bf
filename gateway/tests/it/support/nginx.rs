//! NGINX, to be held beside the gateway.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::net::TcpStream;

use super::free_port;

/// A running NGINX with a directory of its own; stopped when dropped.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    process: Child,
    _directory: tempfile::TempDir,
}

/// What stands beside servers, not in one.
const OUTSIDE: [&str; 4] = ["upstream", "limit_conn_zone", "limit_req_zone", "log_format"];

impl Nginx {
    /// With these directives in its one server, or beside it where that is their place.
    pub(crate) async fn start(directives: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        loop {
            let port = free_port();
            let mut process = run(directory.path(), port, directives);
            // A port that was free a moment ago may be somebody's now; then it ends at once.
            while process.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                    return Self { port, process, _directory: directory };
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(directory: &Path, port: u16, directives: &str) -> Child {
    let is_outside = |one: &&str| OUTSIDE.iter().any(|name| one.starts_with(name));
    let (outside, inside): (Vec<&str>, Vec<&str>) = statements(directives).into_iter().partition(is_outside);
    let place = directory.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {place}/{name};\n"))
        .concat();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log {place}/errors;\nevents {{}}\n\
         http {{\naccess_log off;\ntypes {{ text/html html; text/javascript js; text/plain txt; }}\n{temporary}{}\n\
         server {{\nlisten 127.0.0.1:{port};\n{}\n}}\n}}\n",
        outside.join("\n"),
        inside.join("\n")
    );
    fs::write(directory.join("nginx.conf"), &text).unwrap();
    let start = |more: &[&str]| {
        Command::new(program())
            .arg("-p")
            .arg(directory)
            .args(["-c", "nginx.conf", "-e", "errors"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nginx")
    };
    let check = start(&["-t"]).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(check.status.success() || said.contains("Address already in use"), "{said}\n{text}");
    start(&[])
}

/// The directives at the outermost level, each with its block.
fn statements(text: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, byte) in text.bytes().enumerate() {
        depth += i32::from(byte == b'{') - i32::from(byte == b'}');
        // `{8,}` of an expression closes at once.
        let ends = depth == 0 && (byte == b';' || (byte == b'}' && text[at + 1..].starts_with(['\n', ' '])));
        if ends || at + 1 == text.len() {
            found.push(text[start..=at].trim());
            start = at + 1;
        }
    }
    found.retain(|one| !one.is_empty());
    found
}

/// Debian keeps it off the path of people who are not root.
fn program() -> PathBuf {
    let there = PathBuf::from("/usr/sbin/nginx");
    if there.exists() { there } else { PathBuf::from("nginx") }
}
