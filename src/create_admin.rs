//! `irongate create-admin`: the first administrator, registered straight in the database.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use irongate_shared::config::{Platform, ProcessEnv};
use irongate_user_svc::NewAdmin;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::invocation::{complain, say};

/// What is not given is asked for. The password is never an argument: other accounts can read those.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name to sign in with
    #[arg(long)]
    username: Option<String>,
    /// E-mail address
    #[arg(long)]
    email: Option<String>,
    /// Read the password from the first line of standard input, without asking
    #[arg(long)]
    password_stdin: bool,
}

pub(crate) fn run(args: Args) -> ExitCode {
    match register(args) {
        Ok(username) => {
            say(&format!("{username} is an administrator. Sign in, then open /admin/."));
            ExitCode::SUCCESS
        }
        Err(why) => {
            complain(&format!("{why:#}"));
            ExitCode::FAILURE
        }
    }
}

fn register(args: Args) -> anyhow::Result<String> {
    let platform = Platform::from_env(&ProcessEnv)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start a runtime")?;
    let username = args.username.map_or_else(|| ask("User name"), Ok)?;
    let email = args.email.map_or_else(|| ask("E-mail address"), Ok)?;
    let password = if args.password_stdin { first_line()? } else { ask_for_password()? };
    let new = NewAdmin { username, email, password };
    Ok(runtime.block_on(irongate_user_svc::create_admin(&platform, new))?.username)
}

fn first_line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("read standard input")?;
    if line.is_empty() {
        bail!("standard input ended before an answer");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn ask(what: &str) -> anyhow::Result<String> {
    // On standard error, so that standard output stays what a script can use.
    write!(std::io::stderr(), "{what}: ")?;
    first_line()
}

fn ask_for_password() -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!("no terminal to ask for the password; pipe it in with --password-stdin");
    }
    let password = without_echo(|| ask("Password"))?;
    if without_echo(|| ask("Once more"))? != password {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(password)
}

fn without_echo<T>(read: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let terminal = std::io::stdin();
    let before = tcgetattr(&terminal).context("hide the password on this terminal")?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    let answer = read();
    tcsetattr(&terminal, OptionalActions::Flush, &before)?;
    answer
}
