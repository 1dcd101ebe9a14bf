//! Redis, private to one test.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::free_port;
use crate::guard::Guard;
use crate::wait::comes_true;

/// A connection to a server of a test, for what an operator or another program does there.
pub struct Client(BufReader<UnixStream>);

impl Client {
    /// Has the server do a command without blanks in its words; gives its answer, of a list the first line.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub fn command(&mut self, command: &str) -> String {
        self.ask(command).expect("Redis answers")
    }

    fn ask(&mut self, command: &str) -> std::io::Result<String> {
        write!(self.0.get_mut(), "{command}\r\n")?;
        let mut answer = String::new();
        self.0.read_line(&mut answer)?;
        let Some(length) = answer.trim_end().strip_prefix('$').and_then(|length| length.parse().ok()) else {
            return Ok(answer.trim_end().to_owned());
        };
        let mut text = vec![0; length];
        self.0.read_exact(&mut text)?;
        self.0.read_line(&mut answer)?;
        Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
    }
}

/// A server on a loopback port that keeps nothing on disk. Dropping it ends it.
pub struct Redis {
    guard: Guard,
    port: u16,
}

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// When Redis is not installed or does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with these further arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let directory =
            tempfile::Builder::new().prefix("irongate-redis-").tempdir().expect("make a directory");
        let port = free_port();
        let path = directory.path().to_str().expect("a temporary directory has a plain name").to_owned();
        let port_text = port.to_string();
        let socket = format!("{path}/socket");
        let mut command = vec![
            "redis-server",
            "--port",
            &port_text,
            "--bind",
            "127.0.0.1",
            "--unixsocket",
            &socket,
            "--dir",
            &path,
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        command.extend(arguments);
        let server = Self { guard: Guard::new(directory, None, &command), port };
        server.start_again();
        server
    }

    /// As `REDIS_URL` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port on 127.0.0.1, for a test that puts a proxy in between.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server, which forgets everything: nothing is kept on disk.
    pub fn stop(&self) {
        self.guard.tell("stop");
    }

    /// Starts the server, empty, on the same port, and waits until it answers.
    pub fn start_again(&self) {
        self.guard.tell("start");
        assert!(
            comes_true(Duration::from_secs(30), || self.answers()),
            "Redis does not answer; is it installed? `./just test` does that (Debian: `apt-get install redis-server`)\n{}",
            self.guard.log()
        );
    }

    /// A client of the test itself.
    ///
    /// # Panics
    ///
    /// When the server does not take it.
    pub fn client(&self) -> Client {
        self.connect(Duration::from_secs(10)).expect("connect to Redis")
    }

    /// Has the server do a command, if it is there.
    pub(crate) fn ask(&self, command: &str) -> std::io::Result<String> {
        self.connect(Duration::from_secs(1))?.ask(command)
    }

    /// By the socket in our own directory: whoever else may have taken the port is not mistaken for us.
    fn connect(&self, patience: Duration) -> std::io::Result<Client> {
        let connection = UnixStream::connect(self.guard.directory().join("socket"))?;
        connection.set_read_timeout(Some(patience))?;
        Ok(Client(BufReader::new(connection)))
    }

    /// Freezes the server: connections stay open, nothing answers.
    pub fn pause(&self) {
        self.guard.tell("pause");
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.guard.tell("resume");
    }

    fn answers(&self) -> bool {
        self.ask("PING").is_ok_and(|answer| answer == "+PONG")
    }
}
