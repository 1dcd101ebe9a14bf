//! Programs in Python: an environment of their own below `target/`, made by the first test that needs one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What is installed, versions pinned.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// A program of the environment that holds `requirements.txt`.
///
/// # Panics
///
/// When Python is not installed, or the packages cannot be.
pub fn python_program(name: &str) -> PathBuf {
    static ENVIRONMENT: OnceLock<PathBuf> = OnceLock::new();
    ENVIRONMENT.get_or_init(environment).join("bin").join(name)
}

fn environment() -> PathBuf {
    let tools = target().join("tools");
    std::fs::create_dir_all(&tools).expect("make target/tools");
    // Test binaries may run side by side.
    let lock = File::create(tools.join("python.lock")).expect("make a lock file");
    lock.lock().expect("lock it");

    let environment = tools.join("python");
    let installed = environment.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
        return environment;
    }
    let _ = std::fs::remove_dir_all(&environment);
    let wanted = tools.join("python-requirements.txt");
    std::fs::write(&wanted, REQUIREMENTS).expect("write the requirements");
    run(
        Command::new("python3").args(["-m", "venv"]).arg(&environment),
        "Python is not installed: `./just test` installs it (Debian: `apt-get install python3-venv`)",
    );
    run(
        Command::new(environment.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&wanted),
        "the packages of tests/servers/requirements.txt cannot be installed",
    );
    std::fs::write(installed, REQUIREMENTS).expect("note what is installed");
    environment
}

fn run(command: &mut Command, otherwise: &str) {
    let output = command.output();
    let well = output.as_ref().is_ok_and(|output| output.status.success());
    assert!(well, "{otherwise}\n{output:?}");
}

fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    }
}
