//! The task of one socket: what comes in, and when to close. What goes out needs no task; see [`Wire`].

use std::rc::Rc;

use actix_http::ws::Message;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use super::{
    close::Close,
    command::{self, Work},
    incoming::Said,
    outbox::{End, encoded},
    wire::Wire,
    worker::{Socket, Worker},
};
use crate::census::Place;

/// Requests of one socket under way; it is read on when one of them is done.
const UNDER_WAY: usize = 64;

/// Serves one socket to its end.
pub(super) async fn serve(worker: Rc<Worker>, socket: Rc<Socket>, _place: Place, mut wire: Wire) {
    let mut work = FuturesUnordered::new();
    let end = loop {
        tokio::select! {
            biased;
            end = socket.outbox.ended() => break end,
            Some(()) = work.next(), if !work.is_empty() => {}
            said = wire.incoming.next(), if work.len() < UNDER_WAY => match said {
                Some(Ok(said)) => work.extend(receive(&worker, &socket, said)),
                Some(Err(why)) => socket.outbox.end(why),
                None => socket.outbox.lose(),
            },
        }
    };
    // What is queued at the lanes goes on without us.
    drop(work);
    worker.quit(&socket);
    match end {
        End::Close(why) => {
            worker.chat.metrics.closes.with_label_values(&[&why.code().to_string()]).inc();
            wire.goodbye(why).await;
        }
        End::Lost => {
            worker.chat.metrics.closes.with_label_values(&["1006"]).inc();
            socket.outbox.finish();
        }
    }
}

fn receive(worker: &Rc<Worker>, socket: &Rc<Socket>, said: Said) -> Option<Work> {
    socket.heard.set(Instant::now());
    match said {
        Said::Text(text) => return command::take(worker, socket, &text),
        Said::Binary(_) => socket.outbox.end(Close::BadFrame),
        // A flood of pings fills the bounded outbox when nobody reads the pongs, and is closed as too slow.
        Said::Ping(payload) => socket.outbox.push(encoded(Message::Pong(payload))),
        Said::Pong => {}
        Said::Close => socket.outbox.end(Close::Normal),
    }
    None
}
