//! From a client's frame to what it asks for.

use std::{future::Future, pin::Pin, rc::Rc};

use super::{
    close::Close,
    follow,
    frames::{self, Asked, Done, NotAFrame, Request},
    worker::{Socket, Worker},
};
use crate::{
    chat::{Around, NextDue, Pace},
    room::{Body, Command, Emoji, Message, Outcome, Refused, RoomId, frame},
};

/// Work that a frame began and the connection's task carries on.
pub(super) type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Bytes of a page of messages, about: a client may ask for one while live events wait too.
const LARGEST_PAGE: usize = 96 << 10;

/// A client that goes on like this after so many frames too fast is not going to slow down.
const MOST_STRIKES: u32 = 200;

/// Takes in one text frame.
pub(super) fn take(worker: &Rc<Worker>, socket: &Rc<Socket>, text: &str) -> Option<Work> {
    let request = match Request::parse(text) {
        Ok(request) => request,
        Err(NotAFrame) => {
            socket.outbox.end(Close::BadFrame);
            return None;
        }
    };
    let id = request.id;
    let name = request.asked.as_ref().map_or("unknown", Asked::name);
    worker.chat.metrics.frames.with_label_values(&["in", name]).inc();
    if let Err(why) = pace(worker, socket, name) {
        socket.outbox.say(frames::refusal(id, &why));
        return None;
    }
    match request.asked {
        Ok(asked) => obey(worker, socket, id, asked),
        Err(why) => {
            socket.outbox.say(frames::error(id, "bad_frame", why));
            None
        }
    }
}

/// Joins have a pace of their own: a client that comes back joins all its rooms at once.
fn pace(worker: &Worker, socket: &Socket, name: &str) -> Result<(), Refused> {
    let (pace, due): (Pace, _) = match name {
        "join" | "leave" => (worker.joins_pace, &socket.joins),
        _ => (worker.frames_pace, &socket.frames),
    };
    let mut next: NextDue = due.get();
    let admitted = pace.admit(&mut next, worker.chat.clock.now());
    due.set(next);
    match admitted {
        Ok(()) => {
            socket.strikes.set(0);
            Ok(())
        }
        Err(retry) => {
            worker.chat.metrics.rate_limited.inc();
            socket.strikes.set(socket.strikes.get() + 1);
            if socket.strikes.get() > MOST_STRIKES {
                socket.outbox.end(Close::Flood);
            }
            Err(Refused::TooFast { retry })
        }
    }
}

fn obey(worker: &Rc<Worker>, socket: &Rc<Socket>, id: Option<u32>, asked: Asked) -> Option<Work> {
    match asked {
        Asked::Join { room, after } => {
            Some(Box::pin(follow::join(Rc::clone(worker), Rc::clone(socket), id, room, after)))
        }
        Asked::Leave { room } => {
            worker.unfollow(socket, room);
            answer(socket, id, Done { room: Some(room), ..Done::default() });
            None
        }
        Asked::Typing { room } => {
            if socket.rooms.borrow().contains(&room) {
                worker.chat.typing(room, socket.user);
            }
            None
        }
        Asked::Send { room, cid, body, reply_to, attachments } => {
            act(worker, socket, id, room, Command::send(&cid, &body, reply_to, attachments))
        }
        Asked::Edit { room, seq, body } => {
            let body = Body::caption(&body).map_err(|why| why.refused("body"));
            act(worker, socket, id, room, body.map(|body| Command::Edit { seq, body }))
        }
        Asked::Del { room, seq } => act(worker, socket, id, room, Ok(Command::DeleteMessage { seq })),
        Asked::React { room, seq, emoji, on } => {
            let emoji = Emoji::parse(&emoji).map_err(|why| why.refused("emoji"));
            act(worker, socket, id, room, emoji.map(|emoji| Command::React { seq, emoji, on }))
        }
        Asked::Ping {} => {
            answer(socket, id, Done::default());
            None
        }
        Asked::Read { room, seq } => act(worker, socket, id, room, Ok(Command::Read { seq })),
        Asked::Hist { room, before, after, limit } => Some(Box::pin(history(
            Rc::clone(worker),
            Rc::clone(socket),
            id,
            room,
            around(before, after),
            limit,
        ))),
        Asked::Auth { token } => Some(Box::pin(renew(Rc::clone(worker), Rc::clone(socket), id, token))),
    }
}

/// Queues the command at once, so that a socket's commands are done in the order of its frames; the answer follows.
fn act(
    worker: &Rc<Worker>,
    socket: &Rc<Socket>,
    id: Option<u32>,
    room: RoomId,
    command: Result<Command, Refused>,
) -> Option<Work> {
    let command = match command {
        Ok(command) => command,
        Err(why) => {
            socket.outbox.say(frames::refusal(id, &why));
            return None;
        }
    };
    let done = worker.chat.act(room, socket.user, command);
    let socket = Rc::clone(socket);
    Some(Box::pin(async move {
        match done.await {
            Ok(outcome) => {
                let seq = match outcome {
                    Outcome::Sent(message) => Some(message.seq),
                    Outcome::Logged(seq) => Some(seq),
                    Outcome::Marked(_) | Outcome::Done => None,
                };
                answer(&socket, id, Done { room: Some(room), seq, ..Done::default() });
            }
            Err(why) => {
                if id.is_some() {
                    socket.outbox.say(frames::refusal(id, &why));
                }
            }
        }
    }))
}

/// A frame without an id wants no answer.
fn answer(socket: &Socket, id: Option<u32>, done: Done) {
    if id.is_some() {
        socket.outbox.say(frame(&Done { id, ..done }));
    }
}

fn around(before: Option<crate::room::Seq>, after: Option<crate::room::Seq>) -> Around {
    match (before, after) {
        (Some(seq), _) => Around::Before(seq),
        (None, Some(seq)) => Around::After(seq),
        (None, None) => Around::Newest,
    }
}

/// Leaves of a page what may wait in the outbox in one piece, and at least one message; the client asks on from there.
fn fit(items: &mut Vec<Message>, around: Around) {
    let weight = |message: &Message| {
        let reactions =
            message.reactions.iter().map(|reaction| 64 + 40 * reaction.users.len()).sum::<usize>();
        256 + message.body.as_deref().map_or(0, str::len) + 512 * message.attachments.len() + reactions
    };
    let mut sum = 0;
    let mut fits = |message: &&Message| {
        sum += weight(message);
        sum <= LARGEST_PAGE
    };
    match around {
        Around::After(_) => {
            let kept = items.iter().take_while(&mut fits).count().max(1);
            items.truncate(kept);
        }
        Around::Newest | Around::Before(_) | Around::Seq(_) => {
            let kept = items.iter().rev().take_while(&mut fits).count().max(1);
            items.drain(..items.len().saturating_sub(kept));
        }
    }
}

async fn history(
    worker: Rc<Worker>,
    socket: Rc<Socket>,
    id: Option<u32>,
    room: RoomId,
    around: Around,
    limit: Option<i64>,
) {
    let limit = limit.unwrap_or(50).clamp(1, 100);
    match worker.chat.history(room, socket.user, around, limit).await {
        Ok(mut items) => {
            fit(&mut items, around);
            let done = Done { id, room: Some(room), items: Some(items), ..Done::default() };
            socket.outbox.say_patiently(frame(&done)).await;
        }
        Err(why) => socket.outbox.say(frames::refusal(id, &why)),
    }
}

/// Replaces the connection's token by a renewed one of the same user.
async fn renew(worker: Rc<Worker>, socket: Rc<Socket>, id: Option<u32>, token: String) {
    match worker.verifier.verify(&token).await {
        // SECURITY: a socket belongs to the user who opened it.
        Ok(identity) if identity.user == socket.user => {
            let exp = Some(identity.expires_at.as_secs());
            if let Err(why) = worker.chat.meet(&identity).await {
                tracing::warn!(reason = ?why, "a profile could not be written down");
            }
            *socket.identity.borrow_mut() = identity;
            answer(&socket, id, Done { exp, ..Done::default() });
        }
        Ok(_) => {
            socket.outbox.say(frames::error(id, "not_allowed", "That is another user's token."));
        }
        Err(why) => socket.outbox.say(frames::error(id, "unauthenticated", why.to_string())),
    }
}
