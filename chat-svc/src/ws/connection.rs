//! The task of one socket: what goes out, what comes in, when to close.

use std::{rc::Rc, time::Duration};

use actix_ws::{AggregatedMessage, Closed, ProtocolError, Session};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, timeout};

use super::{
    close::Close,
    command::{self, Work},
    outbox::Out,
    wire::{Wire, complaint},
    worker::{Socket, Worker},
};
use crate::census::Place;

/// How long one frame may take to be handed to the kernel before the reader counts as stalled.
const WRITE: Duration = Duration::from_secs(10);

/// Requests of one socket under way; it is read on when one of them is done.
const UNDER_WAY: usize = 64;

/// Why the connection ends.
enum End {
    /// Tell the client.
    Close(Close),
    /// There is nobody to tell.
    Lost,
}

/// Serves one socket to its end.
pub(super) async fn serve(worker: Rc<Worker>, socket: Rc<Socket>, _place: Place, mut wire: Wire) {
    let mut work = FuturesUnordered::new();
    let end = loop {
        if let Err(end) = flush(&socket, &mut wire.session).await {
            break end;
        }
        tokio::select! {
            biased;
            () = socket.outbox.filled() => {}
            Some(()) = work.next(), if !work.is_empty() => {}
            message = wire.stream.recv(), if work.len() < UNDER_WAY => match receive(&worker, &socket, message) {
                Ok(begun) => work.extend(begun),
                Err(end) => break end,
            },
        }
    };
    // What is queued at the lanes goes on without us.
    drop(work);
    worker.quit(&socket);
    if let End::Close(why) = end {
        worker.chat.metrics.closes.with_label_values(&[&why.code().to_string()]).inc();
        wire.goodbye(why).await;
    } else {
        worker.chat.metrics.closes.with_label_values(&["1006"]).inc();
    }
}

/// Hands everything that waits to the session.
async fn flush(socket: &Socket, session: &mut Session) -> Result<(), End> {
    loop {
        if let Some(why) = socket.outbox.ended() {
            return Err(End::Close(why));
        }
        let Some(out) = socket.outbox.pop() else { return Ok(()) };
        if let Out::Close(why) = out {
            return Err(End::Close(why));
        }
        let sent = tokio::select! {
            biased;
            sent = timeout(WRITE, send(session, out)) => sent,
            // Taken in the next round.
            () = socket.outbox.ending() => continue,
        };
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(Closed)) => return Err(End::Lost),
            Err(_) => return Err(End::Close(Close::Slow)),
        }
    }
}

async fn send(session: &mut Session, out: Out) -> Result<(), Closed> {
    match out {
        Out::Text(text) => session.text(text).await,
        Out::Ping => session.ping(b"").await,
        Out::Pong(payload) => session.pong(&payload).await,
        Out::Close(_) => Ok(()),
    }
}

fn receive(
    worker: &Rc<Worker>,
    socket: &Rc<Socket>,
    message: Option<Result<AggregatedMessage, ProtocolError>>,
) -> Result<Option<Work>, End> {
    let message = match message {
        None => return Err(End::Lost),
        Some(Err(why)) => return Err(complaint(&why).map_or(End::Lost, End::Close)),
        Some(Ok(message)) => message,
    };
    socket.heard.set(Instant::now());
    match message {
        AggregatedMessage::Text(text) => Ok(command::take(worker, socket, &text)),
        AggregatedMessage::Binary(_) => Err(End::Close(Close::BadFrame)),
        AggregatedMessage::Ping(payload) => {
            // A flood of pings fills the bounded outbox when nobody reads the pongs, and is closed as too slow.
            socket.outbox.push(Out::Pong(payload));
            Ok(None)
        }
        AggregatedMessage::Pong(_) => Ok(None),
        AggregatedMessage::Close(_) => Err(End::Close(Close::Normal)),
    }
}
