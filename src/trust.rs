//! `irongate trust`: what makes browsers and programs trust the local certificate authority.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};
use irongate_shared::config::{Env, Platform, ProcessEnv};

use crate::invocation::{command, complain, say};

/// The name under which browsers list it.
const NICKNAME: &str = "Irongate local authority";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do it instead of saying how
    #[arg(long)]
    install: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match trust(args.install) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&format!("{why:#}"));
            ExitCode::FAILURE
        }
    }
}

fn trust(install: bool) -> anyhow::Result<()> {
    let authority = Platform::from_env(&ProcessEnv)?.authority;
    if !authority.exists() {
        bail!("{} is not there yet: the first start makes it ({})", authority.display(), command("up"));
    }
    let authority = authority.canonicalize().context("find the authority's file")?;
    let steps = steps(&authority, &Machine::look(&ProcessEnv));
    if steps.is_empty() {
        bail!("this system has no certificate store that we know; import {} by hand", authority.display());
    }
    if install {
        return carry_out(&steps);
    }
    say(&format!("The authority that signs this machine's certificate is {}", authority.display()));
    say("To have it trusted (its key never leaves this machine):\n");
    for Step { purpose, commands } in &steps {
        say(&format!("# {purpose}"));
        for command in commands {
            say(&shell_line(command));
        }
        say("");
    }
    say(&format!("`{} --install` does this for you.", command("trust")));
    Ok(())
}

fn carry_out(steps: &[Step]) -> anyhow::Result<()> {
    for Step { purpose, commands } in steps {
        say(&format!("# {purpose}"));
        for command in commands {
            say(&shell_line(command));
            let Some((program, arguments)) = command.split_first() else { continue };
            let status = match Command::new(program).args(arguments).status() {
                Ok(status) => status,
                Err(why) if why.kind() == std::io::ErrorKind::NotFound && program == "certutil" => {
                    bail!("`certutil` is not installed (Debian: apt-get install libnss3-tools)")
                }
                Err(why) => return Err(why).with_context(|| format!("run {program}")),
            };
            if !status.success() {
                bail!("{program} failed ({status})");
            }
        }
    }
    Ok(())
}

/// One store of trusted authorities and what puts ours into it.
#[derive(Debug, PartialEq)]
struct Step {
    purpose: String,
    commands: Vec<Vec<String>>,
}

/// What the steps depend on, looked at once.
struct Machine {
    home: Option<PathBuf>,
    root: bool,
    mac: bool,
    /// The directory for local authorities and the command that reads it.
    system_store: Option<(&'static str, &'static [&'static str])>,
    /// Firefox profiles: each keeps its own store.
    firefox_profiles: Vec<PathBuf>,
}

impl Machine {
    fn look(env: &dyn Env) -> Self {
        /// Debian and Ubuntu, Fedora, Arch.
        const STORES: [(&str, &[&str]); 3] = [
            ("/usr/local/share/ca-certificates", &["update-ca-certificates"]),
            ("/etc/pki/ca-trust/source/anchors", &["update-ca-trust"]),
            ("/etc/ca-certificates/trust-source/anchors", &["trust", "extract-compat"]),
        ];
        let home = env.get("HOME").map(PathBuf::from);
        let profiles = home.as_ref().and_then(|home| home.join(".mozilla/firefox").read_dir().ok());
        Self {
            root: rustix::process::geteuid().is_root(),
            mac: cfg!(target_os = "macos"),
            system_store: STORES.into_iter().find(|(directory, _)| Path::new(directory).exists()),
            firefox_profiles: profiles
                .into_iter()
                .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
                .filter(|profile| profile.join("cert9.db").exists())
                .collect(),
            home,
        }
    }
}

fn steps(authority: &Path, machine: &Machine) -> Vec<Step> {
    let file = authority.display().to_string();
    if machine.mac {
        let keychain = machine.home.as_ref().map_or(String::new(), |home| {
            home.join("Library/Keychains/login.keychain-db").display().to_string()
        });
        let command = words(&["security", "add-trusted-cert", "-r", "trustRoot", "-k", &keychain, &file]);
        return vec![Step {
            purpose: "Safari, Chrome and programs of this account".into(),
            commands: vec![command],
        }];
    }
    let mut steps = Vec::new();
    if let Some((directory, update)) = machine.system_store {
        let target = format!("{directory}/irongate.crt");
        let sudo = |command: &[&str]| {
            if machine.root { words(command) } else { words(&[&["sudo"], command].concat()) }
        };
        steps.push(Step {
            purpose: "curl, wget and other programs of this machine".into(),
            commands: vec![sudo(&["install", "-m", "644", &file, &target]), sudo(update)],
        });
    }
    if let Some(home) = &machine.home {
        let store = home.join(".pki/nssdb").display().to_string();
        let database = format!("sql:{store}");
        let mut commands = Vec::new();
        if !Path::new(&store).exists() {
            commands.push(words(&["mkdir", "-p", &store]));
            commands.push(words(&["certutil", "-d", &database, "-N", "--empty-password"]));
        }
        commands.push(import(&database, &file));
        steps.push(Step { purpose: "Chromium and Chrome of this account".into(), commands });
    }
    for profile in &machine.firefox_profiles {
        steps.push(Step {
            purpose: format!(
                "Firefox, profile {}",
                profile.file_name().unwrap_or_default().to_string_lossy()
            ),
            commands: vec![import(&format!("sql:{}", profile.display()), &file)],
        });
    }
    steps
}

fn import(database: &str, file: &str) -> Vec<String> {
    words(&["certutil", "-d", database, "-A", "-t", "C,,", "-n", NICKNAME, "-i", file])
}

fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| (*word).to_owned()).collect()
}

/// As a person would type it.
fn shell_line(command: &[String]) -> String {
    let plain = |word: &String| {
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "/.:-_,=".contains(c))
    };
    let quote =
        |word: &String| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) };
    command.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_without_root_gets_lines_to_type() {
        let machine = Machine {
            home: Some("/home/ann lee".into()),
            root: false,
            mac: false,
            system_store: Some(("/usr/local/share/ca-certificates", &["update-ca-certificates"])),
            firefox_profiles: vec!["/home/ann lee/.mozilla/firefox/x.default".into()],
        };

        let steps = steps(Path::new("/srv/data/tls/authority.pem"), &machine);
        let lines: Vec<String> =
            steps.iter().flat_map(|step| &step.commands).map(|line| shell_line(line)).collect();

        assert_eq!(
            lines,
            [
                "sudo install -m 644 /srv/data/tls/authority.pem /usr/local/share/ca-certificates/irongate.crt",
                "sudo update-ca-certificates",
                "mkdir -p '/home/ann lee/.pki/nssdb'",
                "certutil -d 'sql:/home/ann lee/.pki/nssdb' -N --empty-password",
                "certutil -d 'sql:/home/ann lee/.pki/nssdb' -A -t C,, -n 'Irongate local authority' -i \
                 /srv/data/tls/authority.pem",
                "certutil -d 'sql:/home/ann lee/.mozilla/firefox/x.default' -A -t C,, -n 'Irongate local authority' \
                 -i /srv/data/tls/authority.pem",
            ]
        );
    }
}
