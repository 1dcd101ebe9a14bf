//! What a person reads when everything is healthy: where to go, and what to do first.

use std::time::Duration;

use irongate_shared::VERSION;

use super::plan::Plan;
use crate::invocation::command;

pub(super) fn of(plan: &Plan, took: Duration) -> String {
    let Plan { site, data, admin, .. } = plan;
    let mut lines = vec![
        String::new(),
        format!(
            "Irongate {VERSION} is up: gateway, auth-svc, user-svc and chat-svc are healthy ({took:.1?})"
        ),
        String::new(),
        format!("  {site}"),
        format!("  {site}/admin/   health dashboard, for administrators: {}", command("create-admin")),
    ];
    if let Some(page) = admin {
        lines.push(format!("  {page}   the same, by the token in {}", data.join("admin-token").display()));
    }
    lines.extend([
        String::new(),
        format!(
            "  The browser warns of the certificate until it trusts this machine's own authority: {}",
            command("trust")
        ),
        "  Ctrl-C stops everything.".to_owned(),
        " ".to_owned(),
    ]);
    lines.join("\n")
}
