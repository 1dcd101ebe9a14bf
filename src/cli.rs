//! What can be typed, and what it leads to.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{create_admin, trust, up};

/// An edge gateway, identity and chat, started with one command.
#[derive(Debug, Parser)]
#[command(name = "irongate", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Ends this program when its standard input closes: how `up` ties its programs to itself.
    #[arg(long, global = true, hide = true)]
    supervised: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str =
    "Exit codes: 1 a failure while running, 2 settings or arguments that cannot be right.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the whole system and stay with it (the default)
    Up,
    /// Stop the system that `up` started over the same data directory
    Down,
    /// Register an administrator
    CreateAdmin(create_admin::Args),
    /// Say, or with --install do, what makes browsers trust the local certificate authority
    Trust(trust::Args),
    /// Run the gateway alone
    Gateway(irongate_gateway::Args),
    /// Run the authentication service alone
    AuthSvc(irongate_auth_svc::Args),
    /// Run the user service alone
    UserSvc(irongate_user_svc::Args),
    /// Run the chat service alone
    ChatSvc(irongate_chat_svc::Args),
}

impl Cli {
    pub(crate) fn run(self) -> ExitCode {
        if self.supervised {
            up::end_with_the_supervisor();
        }
        match self.command.unwrap_or(Command::Up) {
            Command::Up => up::up(),
            Command::Down => up::down(),
            Command::CreateAdmin(args) => create_admin::run(args),
            Command::Trust(args) => trust::run(&args),
            Command::Gateway(args) => irongate_gateway::cli(args),
            Command::AuthSvc(args) => irongate_auth_svc::start(args),
            Command::UserSvc(args) => irongate_user_svc::start(args),
            Command::ChatSvc(args) => irongate_chat_svc::start(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_typed_means_up() {
        assert!(Cli::parse_from(["irongate"]).command.is_none());
    }
}
