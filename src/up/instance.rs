//! One data directory, one system: a locked file that names the supervisor's process.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::invocation;

const FILE: &str = "irongate.pid";

/// Longer than the supervisor itself takes in the worst case (`child::STOP_LIMIT` for gateway and services).
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// The claim on a data directory. The kernel gives it up with this process, however that ends, so a file left
/// behind by a killed supervisor never stands in the way.
pub(super) struct Instance(#[expect(dead_code, reason = "held for its lock")] File);

impl Instance {
    /// Makes the data directory if need be and claims it.
    pub(super) fn claim(data: &Path) -> anyhow::Result<Self> {
        // SECURITY: keys and tokens live below; other accounts of the machine have no business there.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data)
            .with_context(|| format!("make the data directory {}", data.display()))?;
        let mut file = open(data)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let running = read_pid(&mut file).map_or(String::new(), |pid| format!(" (process {pid})"));
                bail!(
                    "a system is running over {} already{running}\n  stop it with `{}`, or set IRONGATE_DATA to \
                     another directory and other ports",
                    data.display(),
                    invocation::command("down"),
                );
            }
            Err(TryLockError::Error(why)) => return Err(why).context("lock the data directory"),
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

/// What `down` found.
pub(super) enum Stopped {
    /// It was running and has ended.
    Now { pid: i32 },
    /// There was nothing to stop.
    Before,
}

/// Asks the supervisor of `data` to stop, and waits until it has.
pub(super) fn stop(data: &Path) -> anyhow::Result<Stopped> {
    if !data.join(FILE).exists() {
        return Ok(Stopped::Before);
    }
    let mut file = open(data)?;
    if file.try_lock().is_ok() {
        return Ok(Stopped::Before);
    }
    // The lock is held, so the process of that number is the supervisor and no later stranger.
    let pid = read_pid(&mut file).context("read the process number of the running system")?;
    let process = Pid::from_raw(pid).context("read the process number of the running system")?;
    kill_process(process, Signal::TERM).with_context(|| format!("stop process {pid}"))?;
    let asked = Instant::now();
    while file.try_lock().is_err() {
        if asked.elapsed() > STOP_LIMIT {
            bail!("process {pid} has not stopped within {} s", STOP_LIMIT.as_secs());
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    Ok(Stopped::Now { pid })
}

fn open(data: &Path) -> anyhow::Result<File> {
    let path = data.join(FILE);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    opened.with_context(|| format!("open {}", path.display()))
}

fn read_pid(file: &mut File) -> Option<i32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
