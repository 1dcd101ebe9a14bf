//! Joins: from what a client has of a room's log to the room's live events, without a gap and without a repetition.
//!
//! The order of the steps is the point. The worker watches the room *before* the log is read, so an event is either in
//! what is read or delivered live after it; while the socket catches up, live events only raise a mark, and it goes
//! live when it has sent everything up to the mark.

use std::{rc::Rc, time::Duration};

use irongate_shared::id::UserId;

use super::{
    frames::{self, Done},
    worker::{Socket, Worker},
};
use crate::{
    chat::{Entered, MOST_REPLAYED},
    room::{Refused, RoomId, Seq, frame},
};

/// Events of one reading.
const PAGE: i64 = 100;

/// Has `socket` follow `room`: from `after` on, or from now on.
pub(super) async fn join(
    worker: Rc<Worker>,
    socket: Rc<Socket>,
    id: Option<u32>,
    room: RoomId,
    after: Option<Seq>,
) {
    let follows = socket.rooms.borrow().len();
    if follows >= worker.chat.limits.rooms_per_socket && !socket.rooms.borrow().contains(&room) {
        let why = Refused::NotAllowed("This connection follows as many rooms as it may.");
        return socket.outbox.say(frames::refusal(id, &why));
    }
    let join = worker.follow(&socket, room);
    let entered = enter(&worker, &socket, room, after).await;
    let online = if entered.is_ok() { worker.appear(&socket, room).await } else { Vec::new() };
    if !worker.is_current(&socket, room, join) {
        // Left, removed or joined again meanwhile; whoever did that has said so. A request gets its answer.
        return socket.outbox.say(frames::error(id, "superseded", "The room was left meanwhile."));
    }
    match entered {
        Ok(entered) => {
            let from = begin(&worker, &socket, id, room, after, entered, online);
            if let Err(why) = catch_up(&worker, &socket, room, join, from).await {
                tracing::debug!(reason = %why, "a replay could not be read");
                // The client comes back with what it has got.
                socket.outbox.end(super::close::Close::Internal);
            }
        }
        Err(why) => {
            worker.unfollow(&socket, room);
            socket.outbox.say(frames::refusal(id, &why));
        }
    }
}

async fn enter(
    worker: &Worker,
    socket: &Socket,
    room: RoomId,
    after: Option<Seq>,
) -> Result<Entered, Refused> {
    worker.watch(room).await?;
    worker.chat.enter(room, socket.user, after).await
}

/// Answers the join; says after which seq the replay begins.
fn begin(
    worker: &Worker,
    socket: &Socket,
    id: Option<u32>,
    room: RoomId,
    after: Option<Seq>,
    entered: Entered,
    online: Vec<UserId>,
) -> Seq {
    let Entered { role, last, users, reset } = entered;
    let from = if reset { last } else { after.unwrap_or(last) };
    let replay = (last.0 - from.0).clamp(0, MOST_REPLAYED);
    let result = match (reset, replay) {
        (true, _) => "reset",
        (false, 0) => "live",
        (false, _) => "replay",
    };
    worker.chat.metrics.resumes.with_label_values(&[result]).inc();
    let done = Done {
        id,
        room: Some(room),
        last: Some(last),
        you: Some(role),
        replay: Some(replay),
        users,
        online: Some(online),
        ..Done::default()
    };
    socket.outbox.say(frame(&done));
    if reset {
        socket.outbox.say(frames::reset(room, last));
    }
    from
}

async fn catch_up(
    worker: &Worker,
    socket: &Socket,
    room: RoomId,
    join: u64,
    from: Seq,
) -> Result<(), irongate_shared::db::DbError> {
    let mut sent = from;
    loop {
        let events = worker.chat.events_after(room, sent, PAGE).await?;
        let stalled = events.is_empty();
        for event in events {
            if !worker.is_current(socket, room, join) {
                return Ok(());
            }
            sent = event.seq;
            socket.outbox.say_patiently(event.frame).await;
        }
        if !worker.is_current(socket, room, join) || socket.outbox.has_ended() {
            return Ok(());
        }
        if stalled {
            if worker.go_live(socket, room, sent) {
                return Ok(());
            }
            // Told of, but not yet to be read: its commit is becoming visible at this moment.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
