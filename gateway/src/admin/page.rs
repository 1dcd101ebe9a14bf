//! The dashboard's files, which are part of the binary.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::only;
use crate::{
    exchange::Exchange,
    fault::{ClientFault, Fault},
    lane,
    wire::Fields,
};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

pub(super) async fn to_start(exchange: &mut Exchange<'_>) -> Result<(), Fault> {
    lane::redirect::to_configured(exchange, "/admin/", StatusCode::FOUND).await
}

pub(super) async fn answer(exchange: &mut Exchange<'_>, path: &str) -> Result<(), Fault> {
    only(exchange, &Method::GET)?;
    let name = match path.strip_prefix("/admin") {
        Some("") => return to_start(exchange).await,
        Some("/") => "index.html",
        Some(rest) => rest.trim_start_matches('/'),
        None => return Err(ClientFault::NoRoute.into()),
    };
    let (_, content) = embedded::FILES.iter().find(|(own, _)| *own == name).ok_or(ClientFault::NotAFile)?;
    let mut fields = Fields::default();
    fields.push("content-type", lane::static_files::mime::of(name));
    fields.push("cache-control", "no-cache");
    fields.push("content-security-policy", POLICY);
    fields.push("x-content-type-options", "nosniff");
    fields.push("referrer-policy", "no-referrer");
    exchange.respond(StatusCode::OK, fields, Bytes::from_static(content)).await
}
