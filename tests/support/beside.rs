//! A second process of a service, beside the one that `irongate up` starts.

use std::process::{Child, Stdio};

use irongate_test_servers::free_port;

use super::{Service, Setup};

/// Dropping it ends it.
pub(crate) struct Beside(Child);

impl Setup {
    /// Has the gateway know two servers of `service`: what `up` starts, and what is started here, at once.
    pub(crate) fn start_beside(&mut self, service: Service) -> Beside {
        let name = service.name().to_uppercase();
        let (ours, beside) = (free_port(), free_port());
        self.set("GATEWAY_URL", &format!("https://localhost:{}", self.https));
        self.set(&format!("IRONGATE_{name}__LISTEN"), &format!("127.0.0.1:{ours}"));
        let both = format!("127.0.0.1:{ours},127.0.0.1:{beside}");
        self.set(&format!("IRONGATE_GATEWAY__UPSTREAM__{name}__SERVERS"), &both);
        let mut command = self.command(&[&format!("{}-svc", service.name())]);
        command.env(format!("IRONGATE_{name}__LISTEN"), format!("127.0.0.1:{beside}"));
        Beside(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Beside {
    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
