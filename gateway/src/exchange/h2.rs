//! Answering on one HTTP/2 stream, through Pingora's session.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use pingora::{http::ResponseHeader, protocols::http::ServerSession};
use tokio::time::timeout;

use super::{BodyPace, BodySize, h1::Deadlines};
use crate::{
    fault::{ClientFault, Fault},
    wire::{Fields, Framing, Malformed, RequestHead, request},
};

/// Pieces handed to the flow control at a time; bounds what one stream holds in memory.
const WRITE_SIZE: usize = 64 * 1024;

pub(crate) struct Http2 {
    /// Empty while Pingora has it.
    session: Option<ServerSession>,
    pace: BodyPace,
    /// RFC 9113 §8.1.1: the body must be exactly as long as announced.
    announced: Option<u64>,
    deadlines: Deadlines,
    is_head_request: bool,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    NotStarted,
    Open,
    Done,
    Aborted,
}

impl Http2 {
    pub(crate) fn new(session: ServerSession, head: &RequestHead, deadlines: Deadlines) -> Self {
        let announced = match head.framing {
            Framing::Length(length) => Some(length),
            Framing::None | Framing::Chunked | Framing::Close => None,
        };
        Self {
            session: Some(session),
            pace: BodyPace::new(),
            announced,
            deadlines,
            is_head_request: head.method == http::Method::HEAD,
            answer: Answer::NotStarted,
        }
    }

    pub(crate) fn limit_body(&mut self, bytes: u64) {
        self.pace.limit = bytes;
    }

    pub(crate) async fn read_body(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(session) = &mut self.session else { return Err(ClientFault::Gone.into()) };
        // Pingora has no deadline on reading HTTP/2 bodies.
        let patience = self.pace.patience(self.deadlines.body_read);
        let piece = match timeout(patience, session.read_request_body()).await {
            Err(_) => return Err(ClientFault::SlowBody.into()),
            Ok(Err(_)) => return Err(ClientFault::Gone.into()),
            Ok(Ok(piece)) => piece,
        };
        let Some(data) = piece else {
            return match self.announced {
                Some(announced) if announced != self.pace.read => {
                    Err(ClientFault::BadBody(crate::wire::body::BadBody::Truncated).into())
                }
                _ => Ok(None),
            };
        };
        self.pace.came(data.len())?;
        Ok(Some(data))
    }

    /// The next bytes of a tunnel, of which no pace is asked; `None` at its end. Safe to drop and call again.
    pub(crate) async fn receive(&mut self) -> Option<Bytes> {
        self.session.as_mut()?.read_request_body().await.ok().flatten()
    }

    pub(crate) fn head_written(&self) -> bool {
        self.answer != Answer::NotStarted
    }

    pub(crate) async fn write_head(
        &mut self,
        status: StatusCode,
        fields: &Fields,
        size: BodySize,
    ) -> Result<(), Fault> {
        let mut head =
            ResponseHeader::build(status, Some(fields.len() + 2)).map_err(|_| ClientFault::Gone)?;
        for (name, value) in fields.iter() {
            // Names and values were checked when they were parsed or pushed.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                let _ = head.append_header(name, value);
            }
        }
        if let BodySize::Known(length) = size {
            let _ = head.insert_header(http::header::CONTENT_LENGTH, length);
        }
        self.answer = Answer::Open;
        let Some(session) = &mut self.session else { return Err(ClientFault::Gone.into()) };
        session.write_response_header(Box::new(head)).await.map_err(|_| self.lost())
    }

    pub(crate) async fn write_body(&mut self, mut data: Bytes) -> Result<(), Fault> {
        if self.is_head_request {
            return Ok(());
        }
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(WRITE_SIZE));
            let Some(session) = &mut self.session else { return Err(ClientFault::Gone.into()) };
            match timeout(self.deadlines.write, session.write_response_body(piece, false)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(self.lost()),
            }
        }
        Ok(())
    }

    pub(crate) async fn finish(&mut self) -> Result<(), Fault> {
        if self.answer == Answer::Open {
            self.answer = Answer::Done;
            let Some(session) = &mut self.session else { return Err(ClientFault::Gone.into()) };
            let end = session.write_response_body(Bytes::new(), true);
            match timeout(Duration::from_secs(5), end).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(self.lost()),
            }
        }
        Ok(())
    }

    pub(crate) fn abort(&mut self) {
        self.answer = Answer::Aborted;
        if let Some(session) = &mut self.session {
            session.shutdown_with_reason(h2_reason::INTERNAL_ERROR.into());
        }
    }

    pub(crate) fn take_session(&mut self) -> Option<ServerSession> {
        self.answer = Answer::Aborted;
        self.session.take()
    }

    fn lost(&mut self) -> Fault {
        self.answer = Answer::Aborted;
        ClientFault::Gone.into()
    }

    pub(crate) async fn gone(&mut self) {
        match self.session.as_mut().and_then(ServerSession::watch_h2_stream_close) {
            Some(idle) => {
                let _ = idle.await;
            }
            None => std::future::pending().await,
        }
    }
}

/// The error codes of RFC 9113 §7 that we send.
mod h2_reason {
    pub(super) const INTERNAL_ERROR: u32 = 2;
}

/// The head of an HTTP/2 request in the shape that the rest of the gateway reads, with the checks
/// of RFC 9113 §8.2 that neither the h2 crate nor Pingora makes.
pub(crate) fn head(
    session: &mut ServerSession,
    limits: &request::HeadLimits,
) -> Result<RequestHead, Malformed> {
    let bodiless = session.is_body_empty();
    let header = session.req_header();
    let extended_connect = match header.extensions.get::<h2::ext::Protocol>() {
        None => false,
        Some(protocol) if protocol.as_str() == "websocket" => true,
        Some(_) => return Err(Malformed::UnknownProtocol),
    };
    let target = match header.raw_path() {
        b"" => "/",
        path if path.len() > limits.target => return Err(Malformed::TargetTooLong),
        path => request::target_text(path)?,
    };
    if header.headers.len() > limits.fields {
        return Err(Malformed::TooManyFields);
    }
    let mut fields = Fields::with_capacity(512, header.headers.len());
    let mut cookies: Vec<u8> = Vec::new();
    let mut size = 0;
    for (name, value) in &header.headers {
        size += name.as_str().len() + value.len() + 4;
        if size > limits.bytes {
            return Err(Malformed::HeadTooLarge);
        }
        match name.as_str() {
            // SECURITY: RFC 9113 §8.2.2. They mean nothing in HTTP/2 and everything to the
            // HTTP/1.1 service behind us.
            "connection" | "transfer-encoding" | "upgrade" | "keep-alive" | "proxy-connection" => {
                return Err(Malformed::ConnectionField);
            }
            // RFC 9113 §8.2.3: cookie crumbs are one field again towards HTTP/1.1.
            "cookie" => {
                if !cookies.is_empty() {
                    cookies.extend_from_slice(b"; ");
                }
                cookies.extend_from_slice(value.as_bytes());
            }
            "host" => {}
            other => fields.push(other, value.as_bytes()),
        }
    }
    if !cookies.is_empty() {
        fields.push("cookie", cookies);
    }
    let authority = match header.uri.authority() {
        Some(authority) => authority.as_str(),
        None => header.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default(),
    };
    let authority = request::valid_authority(authority)?;
    let mut lengths = fields.all("content-length");
    let framing = match (lengths.next(), lengths.next()) {
        (Some(_), Some(_)) => return Err(Malformed::TwoLengths),
        (Some(length), None) => Framing::Length(request::content_length(length)?),
        (None, _) if bodiless || extended_connect => Framing::None,
        (None, _) => Framing::Chunked,
    };
    drop(lengths);
    Ok(RequestHead {
        method: if extended_connect { http::Method::GET } else { header.method.clone() },
        target: target.to_owned(),
        authority,
        version: request::Version::Http2,
        fields,
        framing,
        extended_connect,
    })
}
