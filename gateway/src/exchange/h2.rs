//! Answering on one HTTP/2 stream.

use std::{cell::RefCell, future::poll_fn};

use super::{BodyPace, BodySize, h1::Deadlines, h2_session::Session};
use crate::{
    fault::{ClientFault, Fault},
    observe::clock,
    wire::{Fields, Framing, Malformed, ReadyFields, RequestHead, request},
    within::within,
};
use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use pingora::protocols::http::ServerSession;

/// Handed to the flow control without asking for room first: small answers leave at once, and so much one
/// stream may hold in memory anyway.
const UNASKED: usize = 16 * 1024;
/// Fields that are added to those of an answer.
const ROOM: usize = 2;
/// Pieces handed to the flow control at a time; bounds what one stream holds in memory.
const WRITE_SIZE: usize = 64 * 1024;

/// Both directions of a stream, as the h2 crate gives them.
pub(crate) struct Stream {
    body: RecvStream,
    respond: SendResponse<Bytes>,
    answer: Option<SendStream<Bytes>>,
}

impl Stream {
    pub(crate) fn new(body: RecvStream, respond: SendResponse<Bytes>) -> Self {
        Self { body, respond, answer: None }
    }

    /// The next piece of the request's body, whose room in the window is given back at once: what we read is
    /// handed on, never gathered.
    pub(super) async fn read(&mut self) -> Result<Option<Bytes>, h2::Error> {
        let Some(data) = self.body.data().await.transpose()? else { return Ok(None) };
        self.body.flow_control().release_capacity(data.len())?;
        Ok(Some(data))
    }

    /// Whether the client has said that nothing (more) of a body comes.
    pub(super) fn is_read(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(super) fn start(&mut self, response: Response<()>, end: bool) -> Result<(), h2::Error> {
        self.answer = Some(self.respond.send_response(response, end)?);
        Ok(())
    }

    /// Passes `data` to the flow control, as the client's window allows.
    pub(super) async fn send(&mut self, mut data: Bytes, end: bool) -> Result<(), h2::Error> {
        let Some(answer) = &mut self.answer else { return Err(Reason::INTERNAL_ERROR.into()) };
        if data.len() <= UNASKED {
            return answer.send_data(data, end);
        }
        while !data.is_empty() {
            answer.reserve_capacity(data.len().min(WRITE_SIZE));
            let room = poll_fn(|cx| answer.poll_capacity(cx)).await;
            let room = room.unwrap_or(Err(Reason::CANCEL.into()))?;
            let piece = data.split_to(data.len().min(room));
            if !piece.is_empty() {
                answer.send_data(piece, end && data.is_empty())?;
            }
        }
        Ok(())
    }

    pub(super) fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), h2::Error> {
        let Some(answer) = &mut self.answer else { return Err(Reason::INTERNAL_ERROR.into()) };
        answer.send_trailers(trailers)
    }

    pub(super) fn reset(&mut self, reason: Reason) {
        self.respond.send_reset(reason);
    }

    /// Resolves when the client has lost interest.
    pub(super) async fn gone(&mut self) {
        // An error says the same: nobody is there.
        let _ = poll_fn(|cx| match &mut self.answer {
            Some(answer) => answer.poll_reset(cx),
            None => self.respond.poll_reset(cx),
        })
        .await;
    }
}

pub(crate) struct Http2 {
    /// Empty while Pingora has it.
    stream: Option<Stream>,
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
    /// So many bytes were announced and are still to come.
    Sized(u64),
    Open,
    Done,
    Aborted,
}

impl Http2 {
    pub(crate) fn new(stream: Stream, head: Option<&RequestHead>, deadlines: Deadlines) -> Self {
        let announced = match head.map(|head| head.framing) {
            Some(Framing::Length(length)) => Some(length),
            Some(Framing::None | Framing::Chunked | Framing::Close) | None => None,
        };
        Self {
            stream: Some(stream),
            pace: BodyPace::new(),
            announced,
            deadlines,
            is_head_request: head.is_some_and(|head| head.method == http::Method::HEAD),
            answer: Answer::NotStarted,
        }
    }

    pub(crate) fn limit_body(&mut self, bytes: u64) {
        self.pace.limit = bytes;
    }

    pub(crate) async fn read_body(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(stream) = &mut self.stream else { return Err(ClientFault::Gone.into()) };
        let patience = self.pace.patience(self.deadlines.body_read);
        let piece = match within(patience, stream.read()).await {
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
        self.stream.as_mut()?.read().await.ok().flatten()
    }

    pub(crate) fn head_written(&self) -> bool {
        self.answer != Answer::NotStarted
    }

    /// Sends the head; with it the end, where no body follows.
    pub(crate) fn write_head(
        &mut self,
        status: StatusCode,
        fields: Fields,
        size: BodySize,
    ) -> Result<(), Fault> {
        self.write_head_map(status, fields.into_map(ROOM), size)
    }

    /// As [`Http2::write_head`], with fields that stand ready and some more.
    pub(crate) fn write_ready_head(
        &mut self,
        status: StatusCode,
        ready: &ReadyFields,
        more: Fields,
        size: BodySize,
    ) -> Result<(), Fault> {
        let mut map = ready.map().clone();
        more.append_to(&mut map);
        self.write_head_map(status, map, size)
    }

    fn write_head_map(
        &mut self,
        status: StatusCode,
        mut headers: HeaderMap,
        size: BodySize,
    ) -> Result<(), Fault> {
        complete(&mut headers, size);
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        let end = self.is_head_request || matches!(size, BodySize::None | BodySize::Known(0));
        self.answer = match size {
            _ if end => Answer::Done,
            BodySize::Known(length) => Answer::Sized(length),
            BodySize::None | BodySize::Unknown => Answer::Open,
        };
        let Some(stream) = &mut self.stream else { return Err(ClientFault::Gone.into()) };
        stream.start(response, end).map_err(|_| self.lost())
    }

    pub(crate) async fn write_body(&mut self, mut data: Bytes) -> Result<(), Fault> {
        let mut end = false;
        match &mut self.answer {
            Answer::Sized(left) => {
                // SECURITY: never more than was announced; the client would take the stream for broken.
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
                end = *left == 0;
            }
            Answer::Open => {}
            Answer::NotStarted | Answer::Done | Answer::Aborted => return Ok(()),
        }
        if data.is_empty() {
            return Ok(());
        }
        self.send(data, end).await?;
        if end {
            self.answer = Answer::Done;
        }
        Ok(())
    }

    async fn send(&mut self, mut data: Bytes, end: bool) -> Result<(), Fault> {
        loop {
            // Pieces, so that the deadline is for progress and not for the whole: a slow reader of a big file is no
            // attacker.
            let piece = data.split_to(data.len().min(WRITE_SIZE));
            let is_last = data.is_empty();
            let Some(stream) = &mut self.stream else { return Err(ClientFault::Gone.into()) };
            match within(self.deadlines.write, stream.send(piece, end && is_last)).await {
                Ok(Ok(())) if is_last => return Ok(()),
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(self.lost()),
            }
        }
    }

    pub(crate) async fn finish(&mut self) -> Result<(), Fault> {
        match self.answer {
            Answer::Open => {
                self.answer = Answer::Done;
                self.send(Bytes::new(), true).await
            }
            // Less came than was announced.
            Answer::Sized(_) => {
                self.abort();
                Ok(())
            }
            Answer::NotStarted | Answer::Done | Answer::Aborted => Ok(()),
        }
    }

    pub(crate) fn abort(&mut self) {
        self.answer = Answer::Aborted;
        if let Some(stream) = &mut self.stream {
            stream.reset(Reason::INTERNAL_ERROR);
        }
    }

    pub(crate) fn take_session(&mut self, head: &RequestHead) -> Option<ServerSession> {
        self.answer = Answer::Aborted;
        Some(ServerSession::new_custom(Box::new(Session::new(self.stream.take()?, head)?)))
    }

    fn lost(&mut self) -> Fault {
        self.answer = Answer::Aborted;
        ClientFault::Gone.into()
    }

    pub(crate) async fn gone(&mut self) {
        match &mut self.stream {
            Some(stream) => stream.gone().await,
            None => std::future::pending().await,
        }
    }
}

/// What every answer has besides its fields.
fn complete(headers: &mut HeaderMap, size: BodySize) {
    thread_local! {
        static DATE: RefCell<HeaderValue> = const { RefCell::new(HeaderValue::from_static("")) };
    }
    if let Some(id) = headers.get_mut("x-request-id") {
        // Other in every answer: in the compression's table it would only push out what returns.
        id.set_sensitive(true);
    }
    let date = DATE.with_borrow_mut(|kept| {
        clock::with_http_date(|date| {
            if kept != date {
                *kept = HeaderValue::from_str(date).unwrap_or(HeaderValue::from_static(""));
            }
            kept.clone()
        })
    });
    headers.insert(header::DATE, date);
    if let BodySize::Known(length) = size {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
}

/// The head of an HTTP/2 request in the shape that the rest of the gateway reads, with the checks
/// of RFC 9113 §8.2 and §8.3 that the h2 crate does not make.
pub(crate) fn head(
    parts: &http::request::Parts,
    bodiless: bool,
    limits: &request::HeadLimits,
) -> Result<RequestHead, Malformed> {
    let extended_connect = match parts.extensions.get::<h2::ext::Protocol>() {
        None => false,
        Some(protocol) if protocol.as_str() == "websocket" => true,
        Some(_) => return Err(Malformed::UnknownProtocol),
    };
    let target = match parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str) {
        "" => "/",
        path if path.len() > limits.target => return Err(Malformed::TargetTooLong),
        path if path.starts_with('/') || path == "*" => request::target_text(path.as_bytes())?,
        _ => return Err(Malformed::TargetForm),
    };
    if parts.headers.len() > limits.fields {
        return Err(Malformed::TooManyFields);
    }
    let mut fields = Fields::with_capacity(512, parts.headers.len());
    let mut cookies: Vec<u8> = Vec::new();
    let mut hosts: Option<&HeaderValue> = None;
    let mut size = 0;
    for (name, value) in &parts.headers {
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
            "host" if hosts.is_some() => return Err(Malformed::TwoHosts),
            "host" => hosts = Some(value),
            other => fields.push(other, value.as_bytes()),
        }
    }
    if !cookies.is_empty() {
        fields.push("cookie", cookies);
    }
    let host = hosts.map(|host| host.to_str().map_err(|_| Malformed::BadHost)).transpose()?;
    let authority = match (parts.uri.authority(), host) {
        // SECURITY: RFC 9113 §8.3.1. Two names in one request are two sites for two readers.
        (Some(authority), Some(host)) if !authority.as_str().eq_ignore_ascii_case(host) => {
            return Err(Malformed::TwoHosts);
        }
        (Some(authority), _) => authority.as_str(),
        (None, host) => host.unwrap_or_default(),
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
        method: if extended_connect { http::Method::GET } else { parts.method.clone() },
        target: target.to_owned(),
        authority,
        version: request::Version::Http2,
        fields,
        framing,
        extended_connect,
    })
}
