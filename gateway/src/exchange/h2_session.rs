//! An HTTP/2 stream in the shape in which Pingora's `HttpProxy` takes sessions: the border to the full lane.
//!
//! Pingora's own HTTP/2 sessions come only out of its own accept loop. Ours is the h2 crate's, and this lends one of
//! its streams.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::Stream as Messages;
use h2::Reason;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use pingora::{
    Error,
    ErrorType::{H2Error, InternalError, ReadError, WriteError, WriteTimedout},
    OrErr, Result,
    http::{RequestHeader, ResponseHeader},
    protocols::{
        Digest,
        http::{
            HttpTask,
            custom::{CustomMessageWrite, server::Session as Custom},
        },
        l4::socket::SocketAddr,
    },
};
use tokio::time::timeout;

use super::h2::Stream;
use crate::wire::RequestHead;

/// How much of a request's body is kept for another try.
const RETRY_SIZE: usize = 64 * 1024;

pub(super) struct Session {
    stream: Stream,
    request: RequestHeader,
    response: Option<Box<ResponseHeader>>,
    ended: bool,
    read: usize,
    sent: usize,
    write_limit: Option<Duration>,
    retry: Option<Retry>,
}

/// What was read of the body so far; empty when it grew too long.
#[derive(Default)]
struct Retry {
    body: Option<BytesMut>,
    is_truncated: bool,
}

impl Retry {
    fn keep(&mut self, data: &[u8]) {
        let body = self.body.get_or_insert_default();
        if self.is_truncated || body.len() + data.len() > RETRY_SIZE {
            self.is_truncated = true;
            self.body = None;
        } else {
            body.extend_from_slice(data);
        }
    }
}

impl Session {
    pub(super) fn new(stream: Stream, head: &RequestHead) -> Option<Self> {
        let mut request = RequestHeader::build_no_case(
            head.method.clone(),
            head.target.as_bytes(),
            Some(head.fields.len()),
        )
        .ok()?;
        request.set_version(http::Version::HTTP_2);
        request.insert_header(header::HOST, &head.authority).ok()?;
        for (name, value) in head.fields.iter() {
            let (name, value) = (HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
            request.append_header(name, value).ok()?;
        }
        Some(Self {
            stream,
            request,
            response: None,
            ended: false,
            read: 0,
            sent: 0,
            write_limit: None,
            retry: None,
        })
    }

    async fn send(&mut self, data: Bytes, end: bool) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        self.sent += data.len();
        self.ended = end;
        let sending = self.stream.send(data, end);
        let sent = match self.write_limit {
            Some(limit) => timeout(limit, sending)
                .await
                .map_err(|_| Error::explain(WriteTimedout, "writing body").into_down())?,
            None => sending.await,
        };
        sent.or_err(WriteError, "while writing h2 response body").map_err(Error::into_down)
    }
}

#[async_trait]
impl Custom for Session {
    fn req_header(&self) -> &RequestHeader {
        &self.request
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        &mut self.request
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        let data = self.stream.read().await.or_err(ReadError, "while reading h2 request body")?;
        if let Some(data) = &data {
            self.read += data.len();
            if let Some(retry) = &mut self.retry {
                retry.keep(data);
            }
        }
        Ok(data)
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        // What is left unread is refused when the stream is dropped.
        Ok(())
    }

    async fn write_response_header(&mut self, head: Box<ResponseHeader>, end: bool) -> Result<()> {
        // Interim answers cannot be said through the h2 crate.
        if self.ended || self.response.is_some() || head.status.is_informational() {
            return Ok(());
        }
        let (mut parts, ()) = Response::from_parts(head.as_owned_parts(), ()).into_parts();
        for name in [header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE] {
            parts.headers.remove(name);
        }
        parts.headers.remove("keep-alive");
        parts.headers.remove("proxy-connection");
        crate::observe::clock::with_http_date(|date| {
            if let Ok(date) = HeaderValue::from_str(date) {
                parts.headers.insert(header::DATE, date);
            }
        });
        parts.version = http::Version::HTTP_2;
        self.stream
            .start(Response::from_parts(parts, ()), end)
            .or_err(WriteError, "while writing h2 head")?;
        self.response = Some(head);
        self.ended = end;
        Ok(())
    }

    async fn write_response_header_ref(&mut self, head: &ResponseHeader, end: bool) -> Result<()> {
        self.write_response_header(Box::new(head.clone()), end).await
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.send(data, end).await
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.stream.send_trailers(trailers).or_err(WriteError, "while writing h2 trailers")
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        let mut ended = false;
        for task in tasks {
            ended |= match task {
                HttpTask::Header(head, end) => {
                    self.write_response_header(head, end).await.map_err(Error::into_down)?;
                    end
                }
                HttpTask::Body(data, end) => {
                    if let Some(data) = data.filter(|data| !data.is_empty()) {
                        self.send(data, end).await?;
                    }
                    end
                }
                HttpTask::UpgradedBody(..) => {
                    return Error::e_explain(InternalError, "upgraded body on an h2 stream");
                }
                HttpTask::Trailer(Some(trailers)) => {
                    self.write_trailers(*trailers).await?;
                    true
                }
                HttpTask::Trailer(None) | HttpTask::Done => true,
                HttpTask::Failed(error) => return Err(error),
            };
        }
        if ended {
            self.finish().await?;
        }
        Ok(ended)
    }

    fn set_read_timeout(&mut self, _limit: Option<Duration>) {}

    fn get_read_timeout(&self) -> Option<Duration> {
        None
    }

    fn set_write_timeout(&mut self, limit: Option<Duration>) {
        self.write_limit = limit;
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.write_limit
    }

    fn set_total_drain_timeout(&mut self, _limit: Option<Duration>) {}

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        None
    }

    fn request_summary(&self) -> String {
        format!("{} {}", self.request.method, self.request.uri)
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.response.as_deref()
    }

    async fn shutdown(&mut self, _code: u32, _why: &str) {
        if !self.ended {
            self.stream.reset(Reason::INTERNAL_ERROR);
        }
    }

    fn is_body_done(&mut self) -> bool {
        self.is_body_empty() || self.stream.is_read()
    }

    async fn finish(&mut self) -> Result<()> {
        // Without a head there is nothing to end: dropping the stream resets it.
        if self.ended || self.response.is_none() {
            return Ok(());
        }
        self.send(Bytes::new(), true).await
    }

    fn is_body_empty(&mut self) -> bool {
        let says_none = self.request.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
        self.read == 0 && (self.stream.is_read() || says_none)
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        if no_body_expected || self.is_body_done() {
            self.stream.gone().await;
            return Err(Error::explain(H2Error, "the client reset the stream").into_down());
        }
        self.read_body_bytes().await
    }

    fn body_bytes_sent(&self) -> usize {
        self.sent
    }

    fn body_bytes_read(&self) -> usize {
        self.read
    }

    fn digest(&self) -> Option<&Digest> {
        None
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        None
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        None
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        None
    }

    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        // For Pingora's subrequests, which we do not use.
        Bytes::new()
    }

    fn enable_retry_buffering(&mut self) {
        self.retry.get_or_insert_default();
    }

    fn retry_buffer_truncated(&self) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.is_truncated)
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        self.retry.as_ref()?.body.clone().map(BytesMut::freeze)
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(
        &mut self,
    ) -> Option<Box<dyn Messages<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>> {
        None
    }

    fn restore_custom_message_reader(
        &mut self,
        _reader: Box<dyn Messages<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>,
    ) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(&mut self, _writer: Box<dyn CustomMessageWrite>) -> Result<()> {
        Ok(())
    }
}
