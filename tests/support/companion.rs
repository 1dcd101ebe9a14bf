//! One more of the system's programs.

use std::{
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use irongate_test_servers::free_port;
use rustix::process::{Pid, Signal, kill_process};

use super::{Service, Setup, system::collect};

/// A program beside those that `irongate up` runs: a second gateway, another version of a service. Dropping it ends it.
pub(crate) struct Companion {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Companion {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"));
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        Self { child, output }
    }

    /// SIGTERM: it finishes what it has.
    pub(crate) fn ends(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- what the program beside it printed ---\n{}", self.output.lock().unwrap());
        }
    }
}

impl Setup {
    /// Has the gateway know two servers of `service`: what `up` starts, and what is started here, at once.
    pub(crate) fn start_beside(&mut self, service: Service) -> Companion {
        let name = service.name().to_uppercase();
        let (ours, beside) = (free_port(), free_port());
        self.set("GATEWAY_URL", &format!("https://localhost:{}", self.https));
        self.set(&format!("IRONGATE_{name}__LISTEN"), &format!("127.0.0.1:{ours}"));
        let both = format!("127.0.0.1:{ours},127.0.0.1:{beside}");
        self.set(&format!("IRONGATE_GATEWAY__UPSTREAM__{name}__SERVERS"), &both);
        let mut command = self.command(&[&format!("{}-svc", service.name())]);
        command.env(format!("IRONGATE_{name}__LISTEN"), format!("127.0.0.1:{beside}"));
        Companion::start(&mut command)
    }
}
