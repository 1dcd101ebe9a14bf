//! Passing a service's answer on to the client.

use std::{io, time::Duration};

use bytes::BytesMut;
use http::{Method, StatusCode};
use tokio::{io::AsyncReadExt, time::timeout};

use super::headers;
use crate::{
    exchange::{BodySize, Exchange},
    fault::{Fault, OwnFault, UpstreamFault},
    route::Route,
    upstream::{Lease, Pool, connection::Connection},
    wire::{BodyDecoder, Decoded, Framing, ResponseHead},
};

/// Room for what is read of a body at a time.
const SHORT: usize = 16 * 1024;
const LONG: usize = 64 * 1024;

/// An answer whose head was read.
pub(super) struct Answered {
    connection: Connection,
    /// Bytes read beyond the head.
    input: BytesMut,
    pub(super) head: ResponseHead,
    framing: Framing,
    /// What `Content-Length` said, also for HEAD.
    announced: Option<u64>,
    patience: Duration,
    /// Whether the service may yet wait for a part of the request.
    is_ahead: bool,
}

impl Answered {
    pub(super) fn new(
        connection: Connection,
        input: BytesMut,
        head: ResponseHead,
        method: &Method,
        patience: Duration,
    ) -> Result<Self, UpstreamFault> {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            // Nobody asked for it on this lane; passing it on would let a client smuggle through it.
            return Err(UpstreamFault::BadAnswer(crate::wire::response::BadAnswer::StatusLine));
        }
        let framing = head.framing(method).map_err(UpstreamFault::BadAnswer)?;
        let announced = head.content_length().map_err(UpstreamFault::BadAnswer)?;
        Ok(Self { connection, input, head, framing, announced, patience, is_ahead: false })
    }

    /// The service answered before it was sent the whole request.
    pub(super) fn before_the_end_of_the_request(mut self) -> Self {
        self.is_ahead = true;
        self
    }

    pub(super) async fn forward(
        mut self,
        exchange: &mut Exchange<'_>,
        lease: &Lease,
        pool: &Pool,
        route: &Route,
    ) -> Result<(), Fault> {
        let bodiless = matches!(self.head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let size = match (self.framing, self.announced) {
            _ if bodiless => BodySize::None,
            (Framing::None, None) => BodySize::None,
            (_, Some(length)) => BodySize::Known(length),
            (_, None) => BodySize::Unknown,
        };
        let set = std::mem::take(&mut exchange.response_headers);
        let mut fields = headers::answer_fields(&self.head.fields, &set);
        let mut encoder = None;
        if let Some(rule) = route.compression.as_ref().filter(|_| size != BodySize::None) {
            (fields, encoder) = rule.prepare(&exchange.request, self.head.status, fields, self.announced);
        }
        let size = if encoder.is_some() { BodySize::Unknown } else { size };
        exchange.start(self.head.status, fields, size)?;
        let spoilt = |error: io::Error| OwnFault::Coding(error.to_string());
        let mut decoder = BodyDecoder::new(self.framing);
        loop {
            match decoder.decode(&mut self.input).map_err(UpstreamFault::BadBody)? {
                Decoded::End => break,
                Decoded::Data(data) => match &mut encoder {
                    None => exchange.body(data).await?,
                    Some(encoder) => exchange.body(encoder.push(&data).map_err(spoilt)?).await?,
                },
                Decoded::More => {
                    if let Some(encoder) = &mut encoder {
                        exchange.body(encoder.flush().map_err(spoilt)?).await?;
                    }
                    // Whatever came goes out before we wait for more: event streams depend on it.
                    exchange.downstream.flush().await?;
                    // Long answers in long pieces, short ones without a large buffer.
                    let room = if decoder.remaining().is_some_and(|left| left > SHORT as u64) {
                        LONG
                    } else {
                        SHORT
                    };
                    if !self.read(room).await? {
                        decoder.closed().map_err(UpstreamFault::BadBody)?;
                        break;
                    }
                }
            }
        }
        // An answer to HEAD has the fields of one to GET, and nothing else.
        if let Some(encoder) = encoder.filter(|_| exchange.request.head.method != Method::HEAD) {
            exchange.body(encoder.finish().map_err(spoilt)?).await?;
        }
        exchange.downstream.finish().await?;
        // SECURITY: response mix-up, and smuggling: the service would take another's request for the rest of this one's
        // body. Only a connection with nothing left on it, either way, carries another request.
        let reusable =
            self.head.keep_alive && self.framing != Framing::Close && self.input.is_empty() && !self.is_ahead;
        if reusable {
            lease.server.idle.keep(self.connection, pool.settings().raw.idle_connections);
        }
        Ok(())
    }

    async fn read(&mut self, room: usize) -> Result<bool, UpstreamFault> {
        self.input.reserve(room);
        match timeout(self.patience, self.connection.read_buf(&mut self.input)).await {
            Err(_) => Err(UpstreamFault::AnswerTimeout),
            Ok(Ok(size)) => Ok(size > 0),
            Ok(Err(_)) => Err(UpstreamFault::ClosedEarly),
        }
    }
}
