//! Answering on an HTTP/1.1 connection: reads the request's body, writes the answer's head and body.
//!
//! Head and first body bytes leave in one write (one TLS record for a small answer). The output buffer is
//! given back when the connection goes idle.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use http::StatusCode;
use pingora::protocols::{Stream, http::ServerSession};
use tokio::{
    io::{AsyncRead as _, AsyncReadExt, AsyncWriteExt, ReadBuf},
    time::timeout,
};

use super::{BodyPace, BodySize, socket::Socket};
use crate::{
    fault::{ClientFault, Fault},
    wire::{
        BodyDecoder, BodyGuard, Decoded, Fields, Framing, RequestHead, body::BadBody, request::Version,
        text::push_number,
    },
    within::within,
};

/// Room for what is read at a time: within a head or a short body, within a long body, and while nothing has
/// come yet (what is read then is copied out at once).
const READ_SIZE: usize = 4 * 1024;
const LONG_READ_SIZE: usize = 32 * 1024;
const SCRATCH_SIZE: usize = 16 * 1024;
/// Answers are sent on when this much is buffered.
const WRITE_SIZE: usize = 32 * 1024;
/// How much of an unwanted request body is read to save the connection, and how much to let the
/// client read our answer before a reset destroys it.
const DRAIN_SIZE: u64 = 64 * 1024;
const LINGER_SIZE: usize = 1024 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// Deadlines while a request is in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// Between two reads of a request body.
    pub(crate) body_read: Duration,
    /// For the client to take what was written.
    pub(crate) write: Duration,
}

/// One client connection that speaks HTTP/1.
pub(crate) struct Http1 {
    socket: Socket,
    /// Bytes read and not yet understood; survives from request to request.
    pub(crate) input: BytesMut,
    output: Vec<u8>,
    body: BodyDecoder,
    pace: BodyPace,
    deadlines: Deadlines,
    version: Version,
    is_head_request: bool,
    awaits_continue: bool,
    keep_alive: bool,
    answer: Answer,
}

/// Where the answer to the current request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    NotStarted,
    Sized(u64),
    Chunked,
    UntilClose,
    Bodiless,
    Done,
    Aborted,
}

impl Http1 {
    pub(crate) fn new(socket: Socket, deadlines: Deadlines) -> Self {
        Self {
            socket,
            input: BytesMut::new(),
            output: Vec::new(),
            body: BodyDecoder::new(Framing::None),
            pace: BodyPace::new(),
            deadlines,
            version: Version::Http11,
            is_head_request: false,
            awaits_continue: false,
            keep_alive: true,
            answer: Answer::NotStarted,
        }
    }

    /// Makes ready for the request that was just read.
    pub(crate) fn begin(&mut self, head: &RequestHead, keep_alive: bool, deadlines: Deadlines) {
        self.body = head.decoder();
        self.pace = BodyPace::new();
        self.deadlines = deadlines;
        self.version = head.version;
        self.is_head_request = head.method == http::Method::HEAD;
        self.awaits_continue = head.version == Version::Http11 && head.fields.has("expect");
        self.keep_alive = keep_alive;
        self.answer = Answer::NotStarted;
    }

    /// Reads more bytes into `input`; `false` at the end of the stream.
    pub(crate) async fn fill(&mut self) -> io::Result<bool> {
        // A long body in pieces of a whole TLS record or more.
        let is_long = self.body.remaining().is_none_or(|left| left > READ_SIZE as u64);
        self.input.reserve(if is_long { LONG_READ_SIZE } else { READ_SIZE });
        Ok(self.socket.read_buf(&mut self.input).await? > 0)
    }

    /// Waits for the first bytes of a request without a buffer of its own: most connections wait most of the
    /// time, and one thread reads for one of them at a time. `false` at the end of the stream.
    pub(crate) async fn first_bytes(&mut self) -> io::Result<bool> {
        thread_local! {
            static SCRATCH: RefCell<[u8; SCRATCH_SIZE]> = const { RefCell::new([0; SCRATCH_SIZE]) };
        }
        poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut read = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
                self.input.extend_from_slice(read.filled());
                Poll::Ready(Ok(!read.filled().is_empty()))
            })
        })
        .await
    }

    pub(crate) fn limit_body(&mut self, bytes: u64) {
        self.pace.limit = bytes;
    }

    pub(crate) async fn read_body(&mut self) -> Result<Option<bytes::Bytes>, Fault> {
        loop {
            match self.body.decode(&mut self.input).map_err(ClientFault::BadBody)? {
                Decoded::End => return Ok(None),
                Decoded::Data(data) => {
                    self.pace.came(data.len())?;
                    return Ok(Some(data));
                }
                Decoded::More => {
                    self.invite_body().await?;
                    let patience = self.pace.patience(self.deadlines.body_read);
                    match within(patience, self.fill()).await {
                        Err(_) => return Err(ClientFault::SlowBody.into()),
                        Ok(Ok(true)) => {}
                        Ok(Ok(false) | Err(_)) => {
                            self.keep_alive = false;
                            return Err(ClientFault::Gone.into());
                        }
                    }
                }
            }
        }
    }

    /// Tells a client that waits to hear it (`Expect: 100-continue`) to send the body.
    pub(crate) async fn invite_body(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.awaits_continue) {
            self.write_raw(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        Ok(())
    }

    pub(crate) fn head_written(&self) -> bool {
        self.answer != Answer::NotStarted
    }

    pub(crate) fn close_after(&mut self) {
        self.keep_alive = false;
    }

    /// Puts the head into the output buffer; it leaves with the first body bytes.
    pub(crate) fn write_head(&mut self, status: StatusCode, fields: &Fields, size: BodySize) {
        self.write_head_text(status, [fields.as_wire(), b""], size);
    }

    /// As [`Http1::write_head`], with fields that stand ready as text.
    pub(crate) fn write_head_text(&mut self, status: StatusCode, fields: [&[u8]; 2], size: BodySize) {
        let drainable = !self.awaits_continue && self.body.remaining().is_some_and(|left| left <= DRAIN_SIZE);
        if !drainable {
            // The rest of the request would have to be read before the next one can be seen.
            self.keep_alive = false;
        }
        self.answer = match size {
            BodySize::None => Answer::Bodiless,
            BodySize::Known(length) => Answer::Sized(length),
            BodySize::Unknown if self.version == Version::Http11 => Answer::Chunked,
            BodySize::Unknown => {
                self.keep_alive = false;
                Answer::UntilClose
            }
        };
        let out = &mut self.output;
        let body = match size {
            BodySize::Known(length) => usize::try_from(length).unwrap_or(WRITE_SIZE).min(WRITE_SIZE),
            BodySize::None | BodySize::Unknown => 0,
        };
        // Head and body together, in one allocation.
        let head: usize = fields.iter().map(|text| text.len()).sum::<usize>() + 256;
        out.reserve(if head + body <= WRITE_SIZE { head + body } else { head });
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or("Unknown").as_bytes());
        out.extend_from_slice(b"\r\n");
        for text in fields {
            out.extend_from_slice(text);
        }
        out.extend_from_slice(b"date: ");
        crate::observe::clock::with_http_date(|date| out.extend_from_slice(date.as_bytes()));
        out.extend_from_slice(b"\r\n");
        match self.answer {
            Answer::Sized(length) => {
                out.extend_from_slice(b"content-length: ");
                push_number(out, length);
                out.extend_from_slice(b"\r\n");
            }
            Answer::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Answer::UntilClose | Answer::Bodiless | Answer::NotStarted | Answer::Done | Answer::Aborted => {}
        }
        if !self.keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        } else if self.version == Version::Http10 {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        out.extend_from_slice(b"\r\n");
        if self.is_head_request {
            self.answer = Answer::Bodiless;
        }
    }

    pub(crate) async fn write_body(&mut self, data: &[u8]) -> Result<(), Fault> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.answer {
            Answer::Chunked => {
                self.output.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                self.append(data).await?;
                self.output.extend_from_slice(b"\r\n");
            }
            Answer::Sized(left) => {
                // SECURITY: never more than was announced, or the surplus is read as the next answer.
                let size = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                *left -= size as u64;
                self.append(data.get(..size).unwrap_or_default()).await?;
            }
            Answer::UntilClose => self.append(data).await?,
            Answer::Bodiless | Answer::NotStarted | Answer::Done | Answer::Aborted => {}
        }
        Ok(())
    }

    /// Puts a piece of a body of known length behind the head, if there is room for it.
    pub(crate) fn buffer_body(&mut self, data: &[u8]) -> bool {
        match &mut self.answer {
            Answer::Sized(left)
                if *left >= data.len() as u64 && self.output.len() + data.len() <= WRITE_SIZE =>
            {
                *left -= data.len() as u64;
                self.output.extend_from_slice(data);
                true
            }
            _ => false,
        }
    }

    async fn append(&mut self, data: &[u8]) -> Result<(), Fault> {
        if self.output.len() + data.len() <= WRITE_SIZE {
            self.output.extend_from_slice(data);
            return Ok(());
        }
        self.flush().await?;
        self.write_raw(data).await
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Fault> {
        if self.output.is_empty() {
            return Ok(());
        }
        let output = std::mem::take(&mut self.output);
        let written = self.write_raw(&output).await;
        self.output = output;
        self.output.clear();
        written
    }

    pub(crate) async fn write_raw(&mut self, data: &[u8]) -> Result<(), Fault> {
        let mut rest = data;
        // The deadline is for progress, not for the whole: a slow reader of a big file is no attacker
        // as long as it reads.
        while rest.has_remaining() {
            match within(self.deadlines.write, self.socket.write(rest)).await {
                Ok(Ok(written)) if written > 0 => rest.advance(written),
                Ok(Ok(_) | Err(_)) | Err(_) => {
                    self.abort();
                    return Err(ClientFault::Gone.into());
                }
            }
        }
        match within(self.deadlines.write, self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                self.abort();
                Err(ClientFault::Gone.into())
            }
        }
    }

    pub(crate) async fn finish(&mut self) -> Result<(), Fault> {
        match self.answer {
            Answer::Chunked => self.output.extend_from_slice(b"0\r\n\r\n"),
            Answer::Sized(left) if left > 0 => {
                self.abort();
                return Ok(());
            }
            Answer::Sized(_) | Answer::Bodiless | Answer::UntilClose => {}
            Answer::NotStarted | Answer::Done | Answer::Aborted => return Ok(()),
        }
        self.flush().await?;
        self.answer = Answer::Done;
        Ok(())
    }

    pub(crate) fn abort(&mut self) {
        self.keep_alive = false;
        self.output.clear();
        self.answer = Answer::Aborted;
    }

    /// After an answer: reads what is left of the request, and says whether another one may follow.
    pub(crate) async fn ready_for_next(&mut self) -> bool {
        if !self.keep_alive || self.answer != Answer::Done {
            return false;
        }
        while !self.body.is_done() {
            match self.read_body().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        if self.input.is_empty() {
            // Idle connections hold no buffers.
            self.input = BytesMut::new();
            self.output = Vec::new();
        }
        true
    }

    /// Resolves when the client closes its side while we work on an answer. Bytes of a next request
    /// do not count: they are kept.
    pub(crate) async fn gone(&mut self) {
        if !self.body.is_done() || self.input.len() > DRAIN_SIZE as usize {
            return std::future::pending().await;
        }
        loop {
            match self.first_bytes().await {
                Ok(true) if self.input.len() <= DRAIN_SIZE as usize => {}
                Ok(true) => return std::future::pending().await,
                // Under TLS nobody closes one side only.
                Ok(false) if self.socket.is_tls() => return,
                // A half-closed client (`printf … | nc`) still wants its answer.
                Ok(false) => return std::future::pending().await,
                Err(_) => return,
            }
        }
    }

    /// Ends the connection so that the client can still read the last answer: closing a socket with
    /// unread bytes in it makes the kernel send a reset, which destroys data in flight.
    pub(crate) async fn close(mut self) {
        if self.answer == Answer::Aborted {
            return;
        }
        let mut scratch = [0u8; 4096];
        let linger = async {
            let _ = self.socket.shutdown().await;
            if self.body.is_done() && self.input.is_empty() {
                return;
            }
            let mut read = 0;
            while read < LINGER_SIZE {
                match self.socket.read(&mut scratch).await {
                    Ok(size) if size > 0 => read += size,
                    Ok(_) | Err(_) => return,
                }
            }
        };
        let _ = timeout(LINGER_TIME, linger).await;
    }

    /// The connection as a session of Pingora's at the start of this request, and where it is said when the body is one
    /// that we refuse: Pingora reads bodies less strictly.
    pub(crate) fn take_session(
        &mut self,
        head: &RequestHead,
    ) -> Result<(ServerSession, Arc<OnceLock<BadBody>>), BadBody> {
        let mut guard = BodyGuard::new(head.framing);
        guard.advance(&self.input)?;
        let refused = guard.refused();
        let mut text = BytesMut::with_capacity(head.fields.as_wire().len() + head.target.len() + 64);
        text.extend_from_slice(head.method.as_str().as_bytes());
        text.extend_from_slice(b" ");
        text.extend_from_slice(head.target.as_bytes());
        text.extend_from_slice(b" ");
        text.extend_from_slice(head.version.name().as_bytes());
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(head.fields.as_wire());
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(&self.input.split());
        let mut socket = std::mem::replace(&mut self.socket, Socket::away());
        socket.guard_body(Some(guard));
        let mut session = ServerSession::new_http1(Box::new(socket));
        session.set_pipelined_prefix(text);
        session.set_keepalive(self.keep_alive.then_some(60));
        session.set_read_timeout(Some(self.deadlines.body_read));
        session.set_write_timeout(Some(self.deadlines.write));
        self.answer = Answer::Aborted;
        Ok((session, refused))
    }

    pub(crate) fn give_back(&mut self, stream: Option<Stream>) {
        if let Some(socket) = stream.and_then(|stream| stream.into_any().downcast::<Socket>().ok()) {
            self.socket = *socket;
            self.socket.guard_body(None);
            self.body = BodyDecoder::new(Framing::None);
            self.answer = Answer::Done;
        }
    }

    /// Gives up the connection to a tunnel, with what was read beyond the head.
    pub(crate) fn socket_mut(&mut self) -> (&mut Socket, &mut BytesMut) {
        (&mut self.socket, &mut self.input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client reads of an answer of `announced` bytes for which `pieces` were given, and whether the connection
    /// stays open.
    async fn read(announced: u64, pieces: &[&[u8]]) -> (String, bool) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let deadlines = Deadlines { body_read: Duration::from_secs(20), write: Duration::from_secs(20) };
        let mut http1 = Http1::new(Socket::plain(Box::new(server.into())), deadlines);
        http1.write_head(StatusCode::OK, &Fields::default(), BodySize::Known(announced));
        for piece in pieces {
            http1.write_body(piece).await.unwrap();
        }
        http1.finish().await.unwrap();
        let stays = http1.ready_for_next().await;
        drop(http1);
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (body.to_owned(), stays)
    }

    #[tokio::test]
    async fn surplus_body_bytes_are_not_sent_and_missing_ones_end_the_connection() {
        assert_eq!(read(3, &[b"abc"]).await, ("abc".to_owned(), true));
        assert_eq!(read(3, &[b"abcHTTP/1.1 200 OK\r\n"]).await, ("abc".to_owned(), true));
        assert_eq!(read(3, &[b"ab", b"cd", b"ef"]).await, ("abc".to_owned(), true));
        let long = "x".repeat(100_000);
        assert_eq!(read(70_000, &[long.as_bytes()]).await, ("x".repeat(70_000), true));
        assert!(!read(5, &[b"abc"]).await.1, "an answer that is too short must look cut");
    }
}
