//! A WebSocket as RFC 6455 has it, whatever is said on it: bounded frames in, a close code for each way of breaking the
//! rules, and an end that the peer gets to see. [`connection`](super::connection) speaks chat over it; conformance suites
//! drive [`Wire::echo`].

use std::time::Duration;

use actix_web::{FromRequest as _, HttpRequest, HttpResponse, error::PayloadError, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, ProtocolError, Session};
use irongate_shared::problem::{Problem, kind};
use tokio::time::timeout;

use super::{
    close::Close,
    guard::{Guard, Rest},
};

/// How long a close frame may take; then the socket is dropped, and the kernel's user timeout ends it.
const GOODBYE: Duration = Duration::from_secs(1);

/// An open WebSocket.
pub struct Wire {
    pub(super) session: Session,
    pub(super) stream: AggregatedMessageStream,
    rest: Rest,
}

impl Wire {
    /// Answers the handshake; frames and messages hold at most `largest` bytes.
    ///
    /// # Errors
    /// The request is no WebSocket handshake.
    pub async fn open(
        request: &HttpRequest,
        payload: web::Payload,
        protocols: &[&str],
        largest: usize,
    ) -> Result<(HttpResponse, Self), Problem> {
        // SECURITY: actix-ws buffers a frame before it looks at its size; the guard looks first.
        let guard = Guard::new(payload, largest);
        let rest = guard.rest();
        let mut guarded = guard.into_payload();
        let payload = web::Payload::from_request(request, &mut guarded)
            .await
            .map_err(|why| Problem::internal(anyhow::anyhow!("{why}")))?;
        let (response, session, stream) = actix_ws::handle_with_protocols(request, payload, protocols)
            .map_err(|why| Problem::new(kind::MALFORMED_REQUEST).detail(why.to_string()))?;
        let stream = stream.max_frame_size(largest).aggregate_continuations().max_continuation_size(largest);
        Ok((response, Self { session, stream, rest }))
    }

    /// Tells the client why, and gives it the time to hear it.
    pub(super) async fn goodbye(self, why: Close) {
        let Self { session, stream, rest } = self;
        let said = timeout(GOODBYE, session.close(Some(why.reason()))).await;
        drop(stream);
        if said.is_ok() {
            let _ = timeout(GOODBYE, rest.discard()).await;
        }
    }

    /// Sends back what comes until the peer closes. No route of the service leads here.
    pub async fn echo(mut self) {
        let end = loop {
            let sent = match self.stream.recv().await {
                None => return,
                Some(Err(why)) => match complaint(&why) {
                    Some(close) => break close,
                    None => return,
                },
                Some(Ok(AggregatedMessage::Text(text))) => self.session.text(text).await,
                Some(Ok(AggregatedMessage::Binary(bytes))) => self.session.binary(bytes).await,
                Some(Ok(AggregatedMessage::Ping(payload))) => self.session.pong(&payload).await,
                Some(Ok(AggregatedMessage::Pong(_))) => Ok(()),
                Some(Ok(AggregatedMessage::Close(_))) => break Close::Normal,
            };
            if sent.is_err() {
                return;
            }
        };
        self.goodbye(end).await;
    }
}

/// What the WebSocket layer's complaint means; `None` when there is nobody to tell.
pub(super) fn complaint(why: &ProtocolError) -> Option<Close> {
    match why {
        ProtocolError::Io(why) if why.kind() == std::io::ErrorKind::InvalidData => Some(Close::NotUtf8),
        ProtocolError::Io(why) => match why.get_ref().and_then(|why| why.downcast_ref()) {
            // The guard's words.
            Some(PayloadError::Overflow) => Some(Close::TooBig),
            Some(PayloadError::EncodingCorrupted) => Some(Close::Protocol),
            _ => None,
        },
        ProtocolError::Overflow => Some(Close::TooBig),
        _ => Some(Close::Protocol),
    }
}
