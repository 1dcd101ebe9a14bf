//! What a person types after `irongate gateway`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Subcommand;
use irongate_shared::{
    config::{ConfigErrors, Env, Platform, ProcessEnv, Source},
    health,
};

use crate::{config::Settings, gateway, snapshot, tls::Certificates};

const DEFAULT_FILE: &str = "gateway.toml";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration; absent: gateway.toml, or the built-in defaults when there is none.
    #[arg(long, short, env = "IRONGATE_GATEWAY_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Take over the listening sockets of the gateway that runs; send it SIGQUIT then.
    #[arg(long)]
    upgrade: bool,
    /// Ask the gateway that runs here how it is; exit code 0 when it serves.
    #[arg(long)]
    health: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look for mistakes in the configuration and say what would run.
    Check,
}

/// Runs the command. Exit codes: 2 for the configuration, 1 for running.
#[must_use]
pub fn cli(args: Args) -> ExitCode {
    irongate_shared::install_crypto_provider();
    let source = Source {
        required: args.config.is_some(),
        file: Some(args.config.unwrap_or_else(|| DEFAULT_FILE.into())),
        prefix: "IRONGATE_GATEWAY",
    };
    let done = match args.command {
        Some(Command::Check) => check(&source),
        None if args.health => match ask_health(&source) {
            Ok(code) => return code,
            Err(why) => Err(why),
        },
        None => {
            let format = Platform::from_env(&ProcessEnv).map(|platform| platform.log).unwrap_or_default();
            irongate_shared::telemetry::start(format, &ProcessEnv);
            irongate_shared::traces::start("gateway", &ProcessEnv)
                .map_err(|mistake| ConfigErrors::from(mistake).into())
                .and_then(|()| crate::run(source, ProcessEnv.all(), args.upgrade))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let is_configuration = error.downcast_ref::<ConfigErrors>().is_some();
            eprintln!("{error:#}");
            ExitCode::from(if is_configuration { 2 } else { 1 })
        }
    }
}

/// The plain listener answers `/health` without TLS; the operators' does too.
fn ask_health(source: &Source) -> anyhow::Result<ExitCode> {
    let settings = gateway::read(source, &ProcessEnv)?.settings;
    let listener = settings.listen.http.first().or(settings.admin.listen.first());
    let listener = listener.context("neither [listen] http nor [admin] listen: there is nowhere to ask")?;
    Ok(health::ask(&listener.parse().map_err(anyhow::Error::msg)?))
}

#[expect(clippy::print_stdout, reason = "the answer to a question that was typed")]
fn check(source: &Source) -> anyhow::Result<()> {
    let loaded = gateway::read(source, &ProcessEnv)?;
    let settings = loaded.settings.clone();
    snapshot::check(loaded.settings)?;
    let platform = Platform::from_env(&ProcessEnv)?;
    Certificates::check(&settings.tls, &platform.data)?;
    println!("{}: good", loaded.origin);
    print!("{}", summary(&settings));
    Ok(())
}

/// What would run, in a few lines.
fn summary(settings: &Settings) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<9} {value}");
    };
    line("http", settings.listen.http.join(", "));
    line("https", settings.listen.https.join(", "));
    if !settings.listen.plain.is_empty() {
        line("plain", settings.listen.plain.join(", "));
    }
    line("admin", settings.admin.listen.join(", "));
    line("files", settings.files.root.display().to_string());
    for (name, upstream) in &settings.upstream {
        let is_used = settings.route.iter().any(|route| route.upstream.as_ref() == Some(name));
        let note = if is_used { "" } else { " (no route leads there)" };
        line("upstream", format!("{name} → {}{note}", upstream.servers.join(", ")));
    }
    for route in &settings.route {
        let what = match (&route.upstream, &route.redirect) {
            (Some(upstream), _) => format!("upstream {upstream}"),
            (None, Some(to)) => format!("redirect to {to}"),
            (None, None) => "files".to_owned(),
        };
        let hosts = if route.host.is_empty() { String::new() } else { format!("{} ", route.host.join(", ")) };
        line("route", format!("{hosts}{} → {what}", route.path));
    }
    text
}
