//! Programs that a run starts: on which processors, how they end, what CPU time and memory they take.
//!
//! Every program is started through `setpriv --pdeathsig`, so that none outlives the bench, whatever ends it.

use std::{
    collections::HashMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{CpuSet, sched_setaffinity},
};

/// For a program to end after SIGTERM, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Processors, as `taskset` writes them: `0`, `2-3`, `0,4`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Processors(String, usize);

impl Processors {
    pub(crate) fn count(&self) -> usize {
        self.1
    }

    /// The numbers themselves.
    pub(crate) fn numbers(&self) -> Vec<usize> {
        numbers(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for Processors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Processors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match numbers(text) {
            Some(numbers) if !numbers.is_empty() => Ok(Self(text.to_owned(), numbers.len())),
            _ => Err(format!("`{text}` names no processors; write them as 0, 0-3 or 0,2")),
        }
    }
}

fn numbers(text: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => all.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?),
            None => all.push(part.parse().ok()?),
        }
    }
    Some(all)
}

/// `program` on `processors`, ended by the system when the bench ends.
pub(crate) fn pinned(processors: &Processors, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "taskset", "--cpu-list"]).arg(processors.to_string()).arg(program);
    command
}

/// Puts this process, and what it starts without saying where, on `processors`.
pub(crate) fn pin_this_process(processors: &Processors) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    processors.numbers().into_iter().for_each(|number| set.set(number));
    sched_setaffinity(None, &set).with_context(|| format!("going to processors {processors}"))
}

/// A program that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
    output: PathBuf,
}

impl Running {
    /// Starts `command`; what it prints goes to `<directory>/<name>.out`.
    pub(crate) fn start(name: &str, mut command: Command, directory: &Path) -> anyhow::Result<Self> {
        let output = directory.join(format!("{name}.out"));
        let file = File::create(&output).with_context(|| format!("creating {}", output.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {name}: {command:?}"))?;
        Ok(Self { child, name: name.to_owned(), output })
    }

    /// Fails, with what the program printed last, when it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended ({status}). It said:\n{}", self.name, self.last_words());
        }
        Ok(())
    }

    /// The end of what the program printed.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n")
    }

    /// CPU time of the program and all its children so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        tree(self.child.id()).into_iter().filter_map(cpu_time_of).sum()
    }

    /// Memory of the program and all its children, shared pages counted by their share (PSS).
    pub(crate) fn memory_kib(&self) -> u64 {
        tree(self.child.id()).into_iter().filter_map(pss_kib).sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let family: Vec<(u32, Stat)> =
            tree(self.child.id()).into_iter().filter_map(|pid| Some((pid, stat(pid)?))).collect();
        send(self.child.id(), Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            pause(Duration::from_millis(10));
        }
        for (pid, was) in family {
            // A number with another start time belongs to another program by now.
            if stat(pid).is_some_and(|is| is.started == was.started) {
                send(pid, Signal::KILL);
            }
        }
        // Killed or ended: either way there is nothing left to wait for but the exit code, which nobody asks.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended on its own.
        let _ = kill_process(pid, signal);
    }
}

/// Blocks for `time`: the bench has nothing else to do.
#[expect(clippy::disallowed_methods, reason = "a plain program that waits; nothing else runs on its thread")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Tries until `attempt` gives a value; fails after `deadline`, saying `what` was waited for.
pub(crate) fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut attempt: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt()? {
            return Ok(value);
        }
        if start.elapsed() > deadline {
            bail!("waited {deadline:?} in vain for {what}");
        }
        pause(Duration::from_millis(1));
    }
}

/// A process and all that descend from it.
fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        if let Some((pid, parent)) = pid.and_then(|pid| Some((pid, stat(pid)?.parent))) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = vec![root];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        all.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    all
}

struct Stat {
    parent: u32,
    /// User and system time, in clock ticks.
    ticks: u64,
    /// When it started, in clock ticks since the machine did.
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name in parentheses may hold spaces and parentheses itself: what counts is behind the last one.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)?,
        started: number(19)?,
    })
}

fn cpu_time_of(pid: u32) -> Option<Duration> {
    let ticks = u32::try_from(stat(pid)?.ticks).ok()?;
    Some(Duration::from_secs(1) * ticks / u32::try_from(rustix::param::clock_ticks_per_second()).ok()?)
}

fn pss_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// Busy time of `processors` so far (everything but idle and waiting for disks), whoever used it.
pub(crate) fn busy_time(processors: &Processors) -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let names: Vec<String> = processors.numbers().iter().map(|n| format!("cpu{n}")).collect();
    let ticks: u64 = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, _)| names.iter().any(|ours| ours == name))
        .map(|(_, rest)| {
            let fields: Vec<u64> = rest.split_whitespace().filter_map(|field| field.parse().ok()).collect();
            // user nice system idle iowait irq softirq steal; guest time is in user already.
            [0, 1, 2, 5, 6, 7].iter().filter_map(|at| fields.get(*at)).sum::<u64>()
        })
        .sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_spaces_and_parentheses() {
        let stat =
            parse_stat("42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 150 50 0 0 20 0 1 0 99 1 1").unwrap();

        assert_eq!((stat.parent, stat.ticks, stat.started), (7, 200, 99));
    }

    #[test]
    fn processors_are_written_as_taskset_does() {
        let processors: Processors = "0,2-4".parse().unwrap();

        assert_eq!((processors.count(), processors.numbers()), (4, vec![0, 2, 3, 4]));
        assert!("zero".parse::<Processors>().is_err());
        assert!("".parse::<Processors>().is_err());
    }

    #[test]
    fn cpu_time_counts_children_and_dropping_ends_them_all() {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sh -c 'while :; do :; done' & wait"]);
        let running = Running::start("spinner", command, directory.path()).unwrap();
        let root = running.child.id();

        let used = wait_for("CPU time of a child", Duration::from_secs(20), || {
            Ok(Some(running.cpu_time()).filter(|used| *used > Duration::from_millis(50)))
        });

        let family = tree(root);
        drop(running);
        assert!(used.is_ok());
        assert_eq!(family.len(), 2);
        wait_for("the child to be gone", Duration::from_secs(20), || {
            // One that ended and that nobody has asked about yet has no command line any more.
            let runs =
                |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
            Ok((!family.iter().any(runs)).then_some(()))
        })
        .unwrap();
    }
}
