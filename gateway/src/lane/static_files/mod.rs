//! The frontend, served by the gateway itself.
//!
//! A request never touches the file system to find its file: [`site`] keeps an index of what is there, with
//! validators and compressed forms made ahead of time, and looks again every second. A path is a key of
//! that index or it is nothing, so no spelling of `..` can leave the root.

mod conditional;
pub(crate) mod mime;
mod range;
pub(crate) mod site;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

use self::{
    conditional::Outcome,
    range::{Part, Ranges},
    site::{Content, Entry, Site},
};
use crate::{
    exchange::{BodySize, Exchange},
    fault::{ClientFault, Fault, OwnFault},
    lane::encoding::{self, Coding},
    wire::Fields,
};

/// Pieces in which big files are read and sent.
const PIECE: usize = 128 * 1024;

pub(crate) async fn answer(exchange: &mut Exchange<'_>, site: &Site) -> Result<(), Fault> {
    if !matches!(exchange.request.head.method, Method::GET | Method::HEAD) {
        return Err(ClientFault::MethodNotAllowed { allow: "GET, HEAD".into() }.into());
    }
    let index = site.index();
    let path = exchange.request.path.as_str();
    if let Some(entry) = index.get(path) {
        return send(exchange, site, entry).await;
    }
    if index.is_directory(path) && index.get(&format!("{path}/")).is_some() {
        // Relative links in the page mean something else without the slash.
        return super::redirect::to_configured(exchange, "{path}/{query}", StatusCode::PERMANENT_REDIRECT)
            .await;
    }
    // Only a person who navigates gets the application for an unknown address: a missing script must be
    // a 404, not a page.
    let is_navigation = exchange.request.wants_html() && !last_segment_has_extension(path);
    match index.fallback().filter(|_| is_navigation) {
        Some(entry) => {
            // Somebody else gets 404 at this address.
            exchange.added.push("vary", "Accept");
            send(exchange, site, entry).await
        }
        None => Err(ClientFault::NotAFile.into()),
    }
}

/// The frontend's own page for an error, when it has one and a person looks at the answer. `false`: nothing was
/// written.
pub(crate) async fn error_page(exchange: &mut Exchange<'_>, site: &Site, fault: &Fault) -> bool {
    let status = fault.status();
    if !exchange.request.wants_html() || exchange.downstream.head_written() {
        return false;
    }
    exchange.response_headers.clear();
    let index = site.index();
    let Some(entry) = index.error_page(status.as_u16()) else { return false };
    let Content::Kept(page) = entry.variant(Coding::Identity) else { return false };
    if fault.closes_connection() {
        exchange.downstream.close_after();
    }
    let mut fields = Fields::default();
    fields.push("content-type", entry.mime);
    fields.push("cache-control", "no-store");
    fields.push("x-content-type-options", "nosniff");
    if let Some(policy) = &entry.content_security_policy {
        fields.push("content-security-policy", policy);
    }
    if let Some(wait) = fault.retry_after() {
        fields.push("retry-after", wait.as_millis().div_ceil(1000).max(1).to_string());
    }
    // A client that left does not read it.
    if exchange.respond(status, fields, page.clone()).await.is_err() {
        exchange.downstream.abort();
    }
    true
}

fn last_segment_has_extension(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains('.'))
}

/// Sends one file, with conditions, ranges and content coding observed.
async fn send(exchange: &mut Exchange<'_>, site: &Site, entry: &Arc<Entry>) -> Result<(), Fault> {
    let request = &exchange.request.head.fields;
    let has_range = request.has("range") && exchange.request.head.method == Method::GET;
    let coding_of = |entry: &Entry| {
        if has_range && entry.variants().is_empty() {
            Coding::Identity
        } else {
            encoding::choose(request.all("accept-encoding"), entry.variants())
        }
    };
    let mut entry = entry.clone();
    let mut coding = coding_of(&entry);
    // Opened before anything is said of it: what is sent must be what the tag is of.
    let mut file = open(&entry, coding).await?;
    if let Opened::Other = file {
        entry = site.anew(&entry).ok_or(ClientFault::NotAFile)?;
        coding = coding_of(&entry);
        file = open(&entry, coding).await?;
    }
    let mut body = match (file, entry.variant(coding)) {
        (Opened::File(file), _) => Body::Disk(file),
        (Opened::Nothing, Content::Kept(bytes)) => Body::Memory(bytes.clone()),
        _ => return Err(OwnFault::File(format!("{} is being written", entry.path)).into()),
    };
    let (variant, heads) = (entry.variant(coding), entry.heads(coding));
    let etag = heads.etag.as_str();
    match conditional::evaluate(request, etag, entry.modified) {
        Outcome::Proceed => {}
        Outcome::NotModified => {
            return exchange.respond(StatusCode::NOT_MODIFIED, heads.bare.copied(), Bytes::new()).await;
        }
        Outcome::Failed => return Err(ClientFault::ConditionFailed.into()),
    }
    let length = variant.len();
    let ranges = if has_range && conditional::range_applies(request, etag, entry.modified) {
        range::parse(request.get("range").unwrap_or_default(), length)
    } else {
        Ranges::Whole
    };
    match ranges {
        Ranges::Whole => {
            exchange.start_ready(StatusCode::OK, &heads.full, BodySize::Known(length))?;
            send_part(exchange, &mut body, Part { start: 0, end: length }).await?;
        }
        Ranges::One(part) => {
            let mut fields = heads.full.fields().copied();
            fields.push("content-range", part.content_range(length));
            exchange.start(StatusCode::PARTIAL_CONTENT, fields, BodySize::Known(part.len()))?;
            send_part(exchange, &mut body, part).await?;
        }
        Ranges::Several(parts) => {
            let mut fields = heads.full.fields().without("content-type");
            let boundary = format!("irongate-{:016x}", fastrand::u64(..));
            let heads: Vec<String> = parts
                .iter()
                .map(|part| {
                    format!(
                        "\r\n--{boundary}\r\ncontent-type: {}\r\ncontent-range: {}\r\n\r\n",
                        entry.mime,
                        part.content_range(length)
                    )
                })
                .collect();
            let tail = format!("\r\n--{boundary}--\r\n");
            let total = heads.iter().map(|head| head.len() as u64).sum::<u64>()
                + parts.iter().map(Part::len).sum::<u64>()
                + tail.len() as u64;
            fields.push("content-type", format!("multipart/byteranges; boundary={boundary}"));
            exchange.start(StatusCode::PARTIAL_CONTENT, fields, BodySize::Known(total))?;
            for (head, part) in heads.into_iter().zip(parts) {
                exchange.body(Bytes::from(head)).await?;
                send_part(exchange, &mut body, part).await?;
            }
            exchange.body(Bytes::from(tail)).await?;
        }
        Ranges::Unsatisfiable => return Err(ClientFault::NoSuchRange { length }.into()),
    }
    exchange.downstream.finish().await
}

/// What stands behind a form of a file.
enum Opened {
    /// It is in memory.
    Nothing,
    File(File),
    /// Another file than the one that the index knows, or none.
    Other,
}

async fn open(entry: &Entry, coding: Coding) -> Result<Opened, Fault> {
    let Content::OnDisk { path, length, modified_ns } = entry.variant(coding) else {
        return Ok(Opened::Nothing);
    };
    let unreadable = |error: std::io::Error| OwnFault::File(format!("{}: {error}", path.display()));
    let file = match File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Opened::Other),
        Err(error) => return Err(unreadable(error).into()),
    };
    let metadata = file.metadata().await.map_err(unreadable)?;
    let is_known = metadata.len() == *length && site::modified_ns(&metadata) == *modified_ns;
    Ok(if is_known { Opened::File(file) } else { Opened::Other })
}

/// Where the bytes come from.
enum Body {
    Memory(Bytes),
    Disk(File),
}

async fn send_part(exchange: &mut Exchange<'_>, body: &mut Body, part: Part) -> Result<(), Fault> {
    if exchange.request.head.method == Method::HEAD {
        return Ok(());
    }
    match body {
        Body::Memory(bytes) => {
            let (start, end) =
                (usize::try_from(part.start).unwrap_or(0), usize::try_from(part.end).unwrap_or(0));
            let whole = bytes.len();
            exchange.body(bytes.slice(start.min(whole)..end.min(whole))).await
        }
        Body::Disk(file) => {
            let unreadable = |error: std::io::Error| OwnFault::File(error.to_string());
            file.seek(std::io::SeekFrom::Start(part.start)).await.map_err(unreadable)?;
            let mut left = part.len();
            while left > 0 {
                let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
                let mut piece = vec![0; size];
                // A file that was cut meanwhile ends here, and the client sees the answer cut too.
                file.read_exact(&mut piece).await.map_err(unreadable)?;
                left -= size as u64;
                exchange.body(piece.into()).await?;
            }
            Ok(())
        }
    }
}
