//! An S3-compatible store, private to one test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::free_port;
use crate::guard::Guard;
use crate::python::python_program;
use crate::wait::comes_true;

/// moto behind a check of signatures by Amazon's own code (`s3.py`). It keeps its files in memory. Dropping it ends it.
pub struct S3 {
    guard: Guard,
    port: u16,
}

impl S3 {
    /// The one bucket that is there.
    pub const BUCKET: &'static str = "files";
    pub const ACCESS_KEY: &'static str = "test";
    pub const SECRET_KEY: &'static str = "not-a-secret";

    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// When Python or moto cannot be had, or the server does not start.
    pub fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("irongate-s3-").tempdir().expect("make a directory");
        let script = directory.path().join("s3.py");
        std::fs::write(&script, include_str!("s3.py")).expect("write the script");
        let port = free_port();
        let (python, script, port_text) =
            (python_program("python").display().to_string(), script.display().to_string(), port.to_string());
        let server = Self { guard: Guard::new(directory, None, &[&python, &script, &port_text]), port };
        server.start_again();
        server
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Stops the server, which forgets everything.
    pub fn stop(&self) {
        self.guard.tell("stop");
    }

    /// Starts the server, empty, on the same port, and waits until it answers.
    pub fn start_again(&self) {
        self.guard.tell("start");
        assert!(
            comes_true(Duration::from_secs(60), || self.answers()),
            "the S3 server does not answer\n{}",
            self.guard.log()
        );
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
            connection.set_read_timeout(Some(Duration::from_secs(5)))?;
            connection.write_all(b"GET /ready HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer)?;
            Ok(answer.ends_with("ready"))
        };
        ask().unwrap_or(false)
    }
}
