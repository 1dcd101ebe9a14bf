//! The dashboard: its page, its API, its event stream.
//!
//! On the admin listener the token from `data/admin-token` opens it, so that it works while every service is
//! down; on the main port an access token with the role admin does.

mod api;
pub(crate) mod health;
mod metrics;
mod page;
mod state;

use http::Method;
use subtle::ConstantTimeEq;

use crate::{
    edge::{Context, Door},
    exchange::Exchange,
    fault::{ClientFault, Fault},
    guard::identity::bearer,
    route::RequiredIdentity,
};

/// Whether a path of the main port belongs to the dashboard.
pub(crate) fn is_for(path: &str) -> bool {
    path == "/admin" || path.starts_with("/admin/")
}

pub(crate) async fn answer(context: &Context<'_>, exchange: &mut Exchange<'_>) -> Result<(), Fault> {
    let path = exchange.request.path.clone();
    if context.door == Door::Admin {
        match path.as_str() {
            "/" => return page::to_start(exchange).await,
            // Scrapers on this listener need no token: it is for operators' networks only.
            "/metrics" => return metrics::answer(context.gateway, exchange).await,
            _ => {}
        }
    }
    match path.strip_prefix("/admin/api/") {
        Some(call) => {
            authorize(context, exchange).await?;
            api::answer(context, exchange, call).await
        }
        None => page::answer(exchange, &path).await,
    }
}

async fn authorize(context: &Context<'_>, exchange: &mut Exchange<'_>) -> Result<(), Fault> {
    if context.door == Door::Admin {
        let token = bearer(&exchange.request).ok_or(ClientFault::NoToken)?;
        // SECURITY: timing. A comparison that stops at the first difference tells the token bit by bit.
        let same: bool = token.as_bytes().ct_eq(context.gateway.admin_token.as_bytes()).into();
        return if same { Ok(()) } else { Err(ClientFault::BadToken("not the admin token".into()).into()) };
    }
    let rule = RequiredIdentity { roles: vec!["admin".into()], scopes: Vec::new() };
    exchange.request.subject = Some(context.gateway.identities.require(&exchange.request, &rule).await?);
    Ok(())
}

fn only(exchange: &Exchange<'_>, method: &Method) -> Result<(), Fault> {
    let own = &exchange.request.head.method;
    if own == method || (*method == Method::GET && *own == Method::HEAD) {
        Ok(())
    } else {
        Err(ClientFault::MethodNotAllowed { allow: method.to_string() }.into())
    }
}
