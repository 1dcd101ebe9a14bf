//! A WebSocket as RFC 6455 has it, whatever is said on it: bounded frames in, a close code for each way of breaking the
//! rules, and an end that the peer gets to see. [`connection`](super::connection) speaks chat over it; conformance suites
//! drive [`Wire::echo`].
//!
//! What goes out is the body of the answer to the handshake: actix polls it whenever the socket takes more, and it takes
//! from the [`Outbox`] directly. No task stands between, so a burst for a thousand sockets wakes a thousand tasks and
//! not two thousand, and an idle socket holds no channel.

use std::{
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::ws::{self, Message};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::header,
    web::{self, Bytes},
};
use irongate_shared::problem::{Problem, kind};
use tokio::time::timeout;

use super::{
    close::Close,
    guard::{Guard, Rest},
    incoming::{Incoming, Said},
    outbox::{Outbox, encoded},
};

/// How long a close frame may take; then the socket is dropped, and the kernel's user timeout ends it.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long what waits before a close frame may take.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// So many of the largest messages may wait for a reader.
const WAITING: usize = 4;

/// An open WebSocket.
pub struct Wire {
    pub(super) outbox: Rc<Outbox>,
    pub(super) incoming: Incoming,
    rest: Rest,
}

/// What goes out.
struct Outgoing(Rc<Outbox>);

impl MessageBody for Outgoing {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.0.poll_next(cx).map(|frame| frame.map(Ok))
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.0.lose();
    }
}

impl Wire {
    /// Answers the handshake, with the protocol that was agreed on; messages hold at most `largest` bytes.
    ///
    /// # Errors
    /// The request is no WebSocket handshake.
    pub fn open(
        request: &HttpRequest,
        payload: web::Payload,
        protocol: Option<&'static str>,
        largest: usize,
    ) -> Result<(HttpResponse, Self), Problem> {
        let not_one = |why: ws::HandshakeError| Problem::new(kind::MALFORMED_REQUEST).detail(why.to_string());
        let mut answer = ws::handshake(request.head()).map_err(not_one)?;
        if let Some(protocol) = protocol {
            answer.insert_header((header::SEC_WEBSOCKET_PROTOCOL, protocol));
        }
        let outbox = Rc::new(Outbox::holding(largest * WAITING));
        let answer = answer
            .message_body(Outgoing(Rc::clone(&outbox)).boxed())
            .map_err(|why| Problem::internal(anyhow::anyhow!("{why}")))?;
        // SECURITY: the codec buffers a frame before it looks at its size; the guard looks first.
        let guard = Guard::new(payload, largest);
        let rest = guard.rest();
        Ok((answer.into(), Self { outbox, incoming: Incoming::new(guard, largest), rest }))
    }

    /// Tells the client why, after what waits for it, and gives it the time to hear it.
    pub(super) async fn goodbye(self, why: Close) {
        let Self { outbox, incoming, rest } = self;
        let patience = if outbox.is_empty() { GOODBYE } else { LAST_WORDS };
        let said = timeout(patience, outbox.part(encoded(Message::Close(Some(why.reason()))))).await;
        drop(incoming);
        if said.is_ok() {
            let _ = timeout(GOODBYE, rest.discard()).await;
        }
        outbox.finish();
    }

    /// Sends back what comes until the peer closes. No route of the service leads here.
    pub async fn echo(mut self) {
        let end = loop {
            let back = match self.incoming.next().await {
                None => return self.outbox.finish(),
                Some(Err(why)) => break why,
                Some(Ok(Said::Text(text))) => Message::Text(text),
                Some(Ok(Said::Binary(bytes))) => Message::Binary(bytes),
                Some(Ok(Said::Ping(payload))) => Message::Pong(payload),
                Some(Ok(Said::Pong)) => continue,
                Some(Ok(Said::Close)) => break Close::Normal,
            };
            self.outbox.push(encoded(back));
            self.outbox.emptied().await;
        };
        self.goodbye(end).await;
    }
}
