//! The gateway as a process of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Service, client, free_port, until};

/// A running gateway with a directory of its own; stopped when dropped, its log printed when the test failed.
pub(crate) struct Gateway {
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) admin: u16,
    pub(crate) directory: tempfile::TempDir,
    process: Child,
    environment: Vec<(String, String)>,
    runs: usize,
}

/// Checks in quick succession, so that tests need not wait.
pub(crate) const QUICK_HEALTH: &str = "health = { interval = \"200ms\", timeout = \"1s\" }";

impl Gateway {
    /// In front of these services, under `/api`, with the frontend at `/`.
    pub(crate) async fn before(services: &[&Service]) -> Self {
        Self::with(services, "", "").await
    }

    /// As [`Gateway::before`], with lines added to `[upstream.api]` and to the end of the file.
    pub(crate) async fn with(services: &[&Service], upstream: &str, more: &str) -> Self {
        let servers: Vec<String> =
            services.iter().map(|service| format!("{:?}", service.address())).collect();
        Self::configured(&format!(
            "[upstream.api]\nservers = [{}]\n{QUICK_HEALTH}\n{upstream}\n\n\
             [[route]]\npath = \"/\"\nfiles = true\n\n[[route]]\npath = \"/api\"\nupstream = \"api\"\n{more}\n",
            servers.join(", ")
        ))
        .await
    }

    /// With this configuration; listeners and the static root are added.
    pub(crate) async fn configured(text: &str) -> Self {
        Self::configured_in(text, Vec::new()).await
    }

    /// As [`Gateway::configured`], in this environment.
    pub(crate) async fn configured_in(text: &str, environment: Vec<(String, String)>) -> Self {
        irongate_shared::install_crypto_provider();
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("static")).unwrap();
        fs::write(directory.path().join("static/index.html"), "<!doctype html><title>start</title>").unwrap();
        let (http, https, admin) = (free_port(), free_port(), free_port());
        let mut gateway =
            Self { http, https, admin, directory, process: placeholder(), environment, runs: 0 };
        gateway.write_config(text);
        gateway.process = gateway.spawn(&[]);
        gateway.ready().await;
        gateway
    }

    /// Replaces the configuration, as a person with an editor does.
    pub(crate) fn write_config(&self, text: &str) {
        let listeners = format!(
            "[listen]\nhttp = \"127.0.0.1:{}\"\nhttps = \"127.0.0.1:{}\"\n\n[admin]\nlisten = \"127.0.0.1:{}\"\n\n",
            self.http, self.https, self.admin
        );
        let temporary = self.path("gateway.new");
        fs::write(&temporary, format!("{listeners}{text}")).unwrap();
        fs::rename(temporary, self.path("gateway.toml")).unwrap();
    }

    pub(crate) fn config(&self) -> String {
        fs::read_to_string(self.path("gateway.toml")).unwrap()
    }

    fn spawn(&mut self, arguments: &[&str]) -> Child {
        self.runs += 1;
        let log = |name: &str| {
            let path = self.path(&format!("{name}.{}.log", self.runs));
            Stdio::from(fs::File::create(path).unwrap())
        };
        Command::new(env!("CARGO_BIN_EXE_irongate-gateway"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env_remove("IRONGATE_DATA")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("RUST_LOG", "irongate_gateway=debug,info")
            .stdout(log("access"))
            .stderr(log("gateway"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Until every listener takes connections, and the gateway answers.
    async fn ready(&mut self) {
        for port in [self.https, self.admin] {
            super::until_listening(port).await;
        }
        let port = self.http;
        until("the gateway to be ready", || async move {
            client::raw_plain(port, "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .await
                .is_ok_and(|answer| answer.contains("\"ok\"") || answer.contains("\"degraded\""))
        })
        .await;
    }

    /// Starts a second process that takes the sockets over, and waits until the first one has ended.
    pub(crate) async fn upgrade(&mut self) {
        let old = self.hand_over().await;
        self.end_of(old).await;
    }

    /// Starts a second process that takes the sockets over, and gives the first one.
    pub(crate) async fn hand_over(&mut self) -> Child {
        let successor = self.spawn(&["--upgrade"]);
        // It listens for the sockets before it does anything else.
        let socket = self.path("data/upgrade.sock");
        until("the successor to listen", || {
            let there = socket.exists();
            async move { there }
        })
        .await;
        let old = std::mem::replace(&mut self.process, successor);
        signal_to(&old, "QUIT");
        old
    }

    /// Waits until a process that was taken over from has ended.
    pub(crate) async fn end_of(&self, mut old: Child) {
        let mut ended = false;
        for _ in 0..1500 {
            if old.try_wait().unwrap().is_some() {
                ended = true;
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(ended, "the first process did not end");
    }

    pub(crate) async fn restart(&mut self) {
        self.signal("TERM");
        assert_eq!(self.ended().await, Some(0));
        self.process = self.spawn(&[]);
        self.ready().await;
    }

    pub(crate) fn signal(&self, name: &str) {
        signal_to(&self.process, name);
    }

    /// Waits for the process to end and gives its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        for _ in 0..1000 {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the gateway did not end");
    }

    /// Resident, as the system counts it.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn static_file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path("static").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn authority(&self) -> Vec<u8> {
        fs::read(self.path("data/tls/authority.pem")).unwrap()
    }

    pub(crate) fn admin_token(&self) -> String {
        fs::read_to_string(self.path("data/admin-token")).unwrap()
    }

    /// A client that trusts the local authority and speaks whatever the server prefers.
    pub(crate) fn client(&self) -> reqwest::Client {
        self.client_builder().build().unwrap()
    }

    pub(crate) fn client_builder(&self) -> reqwest::ClientBuilder {
        let authority = reqwest::Certificate::from_pem(&self.authority()).unwrap();
        reqwest::Client::builder()
            .tls_certs_only([authority])
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.https)
    }

    /// The dashboard's state.
    pub(crate) async fn state(&self) -> serde_json::Value {
        self.admin_call(reqwest::Method::GET, "state").await.json().await.unwrap()
    }

    pub(crate) async fn admin_call(&self, method: reqwest::Method, call: &str) -> reqwest::Response {
        reqwest::Client::new()
            .request(method, format!("http://127.0.0.1:{}/admin/api/{call}", self.admin))
            .bearer_auth(self.admin_token())
            .send()
            .await
            .unwrap()
    }

    /// The state of one server of the upstream `api`.
    pub(crate) async fn server_state(&self, address: &str) -> String {
        let state = self.state().await;
        state["upstreams"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|upstream| upstream["servers"].as_array().unwrap())
            .find(|server| server["address"] == address)
            .map_or("absent".to_owned(), |server| server["state"].as_str().unwrap().to_owned())
    }

    /// Requests under way at one server.
    pub(crate) async fn in_flight(&self, address: &str) -> u64 {
        let state = self.state().await;
        let upstreams = state["upstreams"].as_array().unwrap().iter();
        let mut servers = upstreams.flat_map(|upstream| upstream["servers"].as_array().unwrap());
        servers
            .find(|server| server["address"] == address)
            .map_or(0, |server| server["in_flight"].as_u64().unwrap())
    }

    pub(crate) async fn until_server_is(&self, address: &str, wanted: &str) {
        until(&format!("{address} to be {wanted}"), || async { self.server_state(address).await == wanted })
            .await;
    }

    pub(crate) fn log(&self) -> String {
        logs(self.directory.path(), "gateway", self.runs)
    }

    pub(crate) fn access_log(&self) -> String {
        logs(self.directory.path(), "access", self.runs)
    }
}

fn logs(directory: &Path, name: &str, runs: usize) -> String {
    (1..=runs)
        .map(|run| fs::read_to_string(directory.join(format!("{name}.{run}.log"))).unwrap_or_default())
        .collect()
}

/// Stands in until the process is started.
fn placeholder() -> Child {
    Command::new("true").spawn().unwrap()
}

fn signal_to(process: &Child, name: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), &process.id().to_string()]).status().unwrap();
    assert!(done.success());
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!(
                "---- gateway.toml\n{}\n---- gateway\n{}\n---- access\n{}",
                fs::read_to_string(self.path("gateway.toml")).unwrap_or_default(),
                self.log(),
                self.access_log()
            );
        }
    }
}
