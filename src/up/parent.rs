//! The child's side of the tie to its supervisor.
//!
//! The supervisor holds the other end of this process's standard input and writes nothing. The pipe closes when the
//! supervisor ends, SIGKILL included. A parent-death signal would do the same on Linux alone, fires when the *thread*
//! that spawned the child ends, and leaves a gap between fork and the request for it; a pipe has none of these.

use std::{io::Read as _, process, thread, time::Duration};

/// How long a program may finish what is in flight once its supervisor is gone.
const LAST_WORK: Duration = Duration::from_secs(20);

/// From here on this process ends, cleanly if it can, when standard input closes.
pub(crate) fn end_with_the_supervisor() {
    thread::spawn(|| {
        let mut buffer = [0; 64];
        let mut pipe = std::io::stdin().lock();
        while matches!(pipe.read(&mut buffer), Ok(1..)) {}

        // An error here leaves the hard end below.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
        let deadline = std::time::Instant::now() + LAST_WORK;
        // Parking may end early for no reason.
        while let Some(left) = deadline.checked_duration_since(std::time::Instant::now()) {
            thread::park_timeout(left);
        }
        process::exit(1);
    });
}
