//! A disk that can be filled.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::guard::Account;

/// Mounts a file system of its own and holds it, as the account that the servers run as: only that may look into it.
/// The mount is in a name space of its own, which ends with the process, which ends with its standard input.
const HOLD: &str = r#"
mount -t tmpfs -o "size=$1,mode=1777" tmpfs /mnt || exit 1
[ -z "$2" ] || exec setpriv --reuid="$2" --regid="$3" --clear-groups sh -c 'echo ready; read -r _'
echo ready
read -r _
"#;

/// A file system in memory of a few megabytes. Nobody but this process and its servers sees it, and it is gone with
/// this process, however that ends.
pub struct SmallDisk {
    holder: Child,
    _line: ChildStdin,
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of `megabytes`.
    ///
    /// # Panics
    ///
    /// When this machine does not let us mount: neither as root nor in a name space of a user.
    pub fn mount(megabytes: u32) -> Self {
        let account = Account::for_servers();
        let mut unshare = Command::new("unshare");
        unshare.arg("--mount");
        if account.is_none() {
            unshare.arg("--map-root-user");
        }
        let mut holder = unshare
            .args(["sh", "-c", HOLD, "hold", &format!("{megabytes}m")])
            .args(account.map(Account::ids).unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run `unshare` of util-linux");
        let line = holder.stdin.take().expect("piped above");
        let mut ready = String::new();
        let _ = BufReader::new(holder.stdout.take().expect("piped above")).read_line(&mut ready);
        assert_eq!(
            ready.trim_end(),
            "ready",
            "a test with a full disk mounts a small one; that takes root with the right to mount (in a container: \
             --cap-add SYS_ADMIN), or name spaces for users (sysctl kernel.unprivileged_userns_clone=1)"
        );
        let path = PathBuf::from(format!("/proc/{}/root/mnt", holder.id()));
        Self { holder, _line: line, path }
    }

    /// A directory on it, for this process and its servers.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same directory, for whoever is [`inside`](Self::inside).
    pub fn path_inside(&self) -> &Path {
        Path::new("/mnt")
    }

    /// The words before a command that has it see the disk at a plain path: SQLite follows the links in a path by
    /// itself, and those to other name spaces lead it astray.
    pub fn inside(&self) -> Vec<String> {
        let space = |option: &str, file: &str| format!("--{option}=/proc/{}/ns/{file}", self.holder.id());
        let here = std::env::current_dir().expect("there is a working directory").display().to_string();
        let mut words = vec!["nsenter".to_owned(), space("mount", "mnt")];
        if Account::for_servers().is_none() {
            words.extend([space("user", "user"), "--preserve-credentials".to_owned()]);
        }
        // Whoever enters finds itself at the root.
        words.extend(["sh", "-c", r#"cd "$0" && exec "$@""#, &here].map(str::to_owned));
        words
    }

    /// Leaves not a byte free.
    pub fn fill(&self) {
        let mut ballast = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.ballast())
            .expect("make a file on the small disk");
        for size in [1 << 20, 1 << 12, 1] {
            let piece = vec![0; size];
            while ballast.write_all(&piece).is_ok() {}
        }
    }

    /// Takes away what [`fill`](Self::fill) put there.
    pub fn clear(&self) {
        std::fs::remove_file(self.ballast()).expect("remove a file from the small disk");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // An error here would only hide the failure of the test that is ending.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
