//! What the programs write to their logs, and how.
//!
//! Logs go to standard error, one line an event; `RUST_LOG` filters them as usual. Event messages are constant
//! sentences, values are fields.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Env, LogFormat};

/// Starts logging for this process. A second call changes nothing.
pub fn start(format: LogFormat, env: &dyn Env) {
    let filter = env
        .get("RUST_LOG")
        .and_then(|directives| EnvFilter::try_new(directives).ok())
        .unwrap_or_else(|| EnvFilter::new("info,actix_server=warn,pingora_core=warn,pingora_proxy=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A supervisor that was killed leaves a pipe that nobody reads. Complaining about that on the same pipe would
        // panic whoever logs, and with it the task that stops the program.
        .log_internal_errors(false);
    // An error means that a subscriber is set already: an earlier call, or a test's own.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).try_init(),
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && env.get("NO_COLOR").is_none();
            builder.with_ansi(colour).with_target(false).try_init()
        }
    };
}
