//! A server process, its directory, and the shell that ends both when the test process is gone.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

/// An unprivileged account, because PostgreSQL refuses to run as root.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// `nobody` when this process is root, else `None`: servers then run as the same user.
    pub(crate) fn for_servers() -> Option<Self> {
        (id(&["-u"]) == 0).then(|| Self { uid: id(&["-u", "nobody"]), gid: id(&["-g", "nobody"]) })
    }

    /// User and group as `setpriv` takes them.
    pub(crate) fn ids(self) -> [String; 2] {
        [self.uid.to_string(), self.gid.to_string()]
    }

    /// Gives `path` to this account.
    pub(crate) fn own(self, path: &Path) {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).expect("give the directory away");
    }

    /// Has `command` run as this account.
    pub(crate) fn assume(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

fn id(args: &[&str]) -> u32 {
    let output = Command::new("id").args(args).output().expect("run `id`");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("`id` prints a number")
}

/// A server under its guard. Dropping it ends the server and removes the directory.
pub(crate) struct Guard {
    directory: PathBuf,
    shell: Child,
    /// `None` only while dropping: closing it is the signal to end.
    line: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Guard {
    /// Puts `command` under guard without starting it; its output goes to `log` in `directory`.
    pub(crate) fn new(directory: TempDir, account: Option<Account>, command: &[&str]) -> Self {
        let directory = directory.keep();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", include_str!("guard.sh"), "guard.sh"])
            .arg(&directory)
            .args(command)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own: Ctrl-C at the terminal must reach the test, not the shell that cleans up.
            .process_group(0);
        if let Some(account) = account {
            account.assume(&mut shell);
        }
        let mut shell = shell.spawn().expect("run `sh`");
        let stdin = shell.stdin.take().expect("piped above");
        let stdout = BufReader::new(shell.stdout.take().expect("piped above"));
        Self { directory, shell, line: Mutex::new(Some((stdin, stdout))) }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What the server has printed, for the message of a failure.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Has the guard do `verb` (see `guard.sh`) and waits until it is done.
    pub(crate) fn tell(&self, verb: &str) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let (stdin, stdout) = line.as_mut().expect("open until dropped");
        writeln!(stdin, "{verb}").expect("the guard listens");
        let mut answer = String::new();
        stdout.read_line(&mut answer).expect("the guard answers");
        assert_eq!(answer.trim_end(), verb, "the guard of {} has ended", self.directory.display());
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        *self.line.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        // An error here would only hide the failure of the test that is ending.
        let _ = self.shell.wait();
    }
}
