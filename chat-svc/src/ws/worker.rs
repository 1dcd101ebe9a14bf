//! One worker thread's sockets.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_http::ws::Message;
use bytes::Bytes;
use irongate_shared::{
    id::UserId,
    token::{Identity, TokenError, Verifier},
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    close::Close,
    frames,
    outbox::{self, Outbox},
};
use crate::{
    chat::{Chat, Pace},
    hub::{Delivery, WorkerId},
    room::{Event, RoomId, Seq, Why},
};

/// Deliveries taken in one go, so that each socket gets a burst as one piece.
const TAKE: usize = 512;

/// How long a connection may go on after its token ran out, for the client to renew it.
const RENEWAL: Duration = Duration::from_secs(25);

/// How long a drain takes, whatever the number of sockets: all of them at once would storm the other replicas.
const DRAIN: Duration = Duration::from_secs(3);

/// How much longer those whom a stopping replica sent away are spread, per socket: so many come back at another at
/// about 3,000 a second. A few come back at once.
const SCATTER: Duration = Duration::from_micros(320);

/// A client without a heartbeat for so many intervals is gone.
const MISSES: u32 = 2;

/// The number of a socket on its worker.
pub(super) type Number = u64;

/// An open WebSocket.
pub(super) struct Socket {
    pub number: Number,
    /// Of this moment; a renewed token replaces it.
    pub identity: RefCell<Arc<Identity>>,
    pub user: UserId,
    pub outbox: Rc<Outbox>,
    pub rooms: RefCell<HashSet<RoomId>>,
    /// When the client was last heard of.
    pub heard: Cell<Instant>,
    /// When the next sign of life goes out.
    beat: Cell<Instant>,
    pub frames: Cell<crate::chat::NextDue>,
    pub joins: Cell<crate::chat::NextDue>,
    /// Frames in a row that came too fast.
    pub strikes: Cell<u32>,
}

/// How far a socket has followed a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// What it missed is read from the database; the log goes on to `mark` at least.
    CatchingUp { mark: Seq },
    /// It has everything up to here, and gets what follows.
    Live { last: Seq },
}

pub(super) struct Follower {
    pub socket: Rc<Socket>,
    pub progress: Cell<Progress>,
    /// Which join this is: a later one of the same socket takes the place of an earlier.
    pub join: u64,
    /// Whether the hub counts it as present.
    present: Cell<bool>,
}

/// What lives on one worker thread.
pub(crate) struct Worker {
    id: WorkerId,
    pub(super) chat: Arc<Chat>,
    pub(super) verifier: Verifier,
    pub(super) heartbeat: Duration,
    sockets: RefCell<HashMap<Number, Rc<Socket>>>,
    by_user: RefCell<HashMap<UserId, Vec<Rc<Socket>>>>,
    rooms: RefCell<HashMap<RoomId, HashMap<Number, Follower>>>,
    numbers: Cell<u64>,
    joins: Cell<u64>,
    pub(super) frames_pace: Pace,
    pub(super) joins_pace: Pace,
}

impl Worker {
    /// The worker of this thread; call once per thread, on its runtime. Its tasks end with the thread.
    pub(crate) fn start(
        chat: &Arc<Chat>,
        verifier: &Verifier,
        heartbeat: Duration,
        drain: &CancellationToken,
        drained: &TaskTracker,
    ) -> Rc<Self> {
        let (id, deliveries) = chat.hub.attach();
        let worker = Rc::new(Self {
            id,
            chat: Arc::clone(chat),
            verifier: verifier.clone(),
            heartbeat,
            sockets: RefCell::default(),
            by_user: RefCell::default(),
            rooms: RefCell::default(),
            numbers: Cell::new(0),
            joins: Cell::new(0),
            frames_pace: Pace::per_second(chat.limits.frames_per_second),
            joins_pace: Pace::with_burst(
                chat.limits.frames_per_second,
                u32::try_from(chat.limits.rooms_per_socket)
                    .unwrap_or(u32::MAX)
                    .saturating_add(chat.limits.frames_per_second),
            ),
        });
        actix_web::rt::spawn(Rc::clone(&worker).deliver_all(deliveries));
        actix_web::rt::spawn(Rc::clone(&worker).keep_time());
        actix_web::rt::spawn(Rc::clone(&worker).watch_revocations());
        let (worker_drains, drain, token) = (Rc::clone(&worker), drain.clone(), drained.token());
        actix_web::rt::spawn(async move {
            drain.cancelled().await;
            worker_drains.drain().await;
            drop(token);
        });
        worker
    }

    // Sockets

    pub(super) fn enter(&self, identity: Arc<Identity>, outbox: Rc<Outbox>) -> Rc<Socket> {
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        let now = Instant::now();
        let socket = Rc::new(Socket {
            number,
            user: identity.user,
            identity: RefCell::new(identity),
            outbox,
            rooms: RefCell::default(),
            heard: Cell::new(now),
            beat: Cell::new(now + self.jittered(number)),
            frames: Cell::default(),
            joins: Cell::default(),
            strikes: Cell::new(0),
        });
        self.sockets.borrow_mut().insert(number, Rc::clone(&socket));
        self.by_user.borrow_mut().entry(socket.user).or_default().push(Rc::clone(&socket));
        self.chat.metrics.connections.inc();
        socket
    }

    pub(super) fn quit(&self, socket: &Socket) {
        let rooms: Vec<_> = socket.rooms.borrow().iter().copied().collect();
        for room in rooms {
            self.unfollow(socket, room);
        }
        self.sockets.borrow_mut().remove(&socket.number);
        let mut by_user = self.by_user.borrow_mut();
        if let Some(theirs) = by_user.get_mut(&socket.user) {
            theirs.retain(|other| other.number != socket.number);
            if theirs.is_empty() {
                by_user.remove(&socket.user);
            }
        }
        self.chat.metrics.connections.dec();
    }

    /// ±20 %, so that sockets that came together do not beat together for ever.
    fn jittered(&self, number: Number) -> Duration {
        self.heartbeat.mul_f64(0.8 + 0.4 * part_of(number))
    }

    // Rooms

    /// Begins or begins again to follow a room; nothing is delivered until the follower is live. Says which join
    /// this is.
    pub(super) fn follow(&self, socket: &Rc<Socket>, room: RoomId) -> u64 {
        let join = self.joins.get();
        self.joins.set(join + 1);
        let mut rooms = self.rooms.borrow_mut();
        let followers = rooms.entry(room).or_default();
        // A second join keeps what the first knew of the log's end.
        let before = followers.get(&socket.number);
        let mark = match before.map(|follower| follower.progress.get()) {
            Some(Progress::CatchingUp { mark }) => mark,
            Some(Progress::Live { last }) => last,
            None => Seq::ZERO,
        };
        let present = Cell::new(before.is_some_and(|follower| follower.present.get()));
        let progress = Cell::new(Progress::CatchingUp { mark });
        followers.insert(socket.number, Follower { socket: Rc::clone(socket), progress, join, present });
        socket.rooms.borrow_mut().insert(room);
        join
    }

    pub(super) async fn watch(&self, room: RoomId) -> Result<Seq, crate::room::Refused> {
        self.chat.hub.watch(self.id, room).await
    }

    /// Whether this join is still the one that counts.
    pub(super) fn is_current(&self, socket: &Socket, room: RoomId, join: u64) -> bool {
        let rooms = self.rooms.borrow();
        rooms.get(&room).and_then(|followers| followers.get(&socket.number)).is_some_and(|f| f.join == join)
    }

    /// Counts the follower as present; says who else is.
    pub(super) async fn appear(&self, socket: &Socket, room: RoomId) -> Vec<UserId> {
        let first = {
            let rooms = self.rooms.borrow();
            let follower = rooms.get(&room).and_then(|followers| followers.get(&socket.number));
            follower.is_some_and(|follower| !follower.present.replace(true))
        };
        if first { self.chat.hub.enter(room, socket.user).await } else { self.chat.hub.present(room).await }
    }

    /// Goes live if `last` is the end of the log as far as it is known here; says whether.
    pub(super) fn go_live(&self, socket: &Socket, room: RoomId, last: Seq) -> bool {
        let rooms = self.rooms.borrow();
        let Some(follower) = rooms.get(&room).and_then(|followers| followers.get(&socket.number)) else {
            return false;
        };
        match follower.progress.get() {
            Progress::CatchingUp { mark } if mark > last => false,
            Progress::CatchingUp { .. } | Progress::Live { .. } => {
                follower.progress.set(Progress::Live { last });
                true
            }
        }
    }

    pub(super) fn unfollow(&self, socket: &Socket, room: RoomId) {
        socket.rooms.borrow_mut().remove(&room);
        let mut rooms = self.rooms.borrow_mut();
        if let Some(followers) = rooms.get_mut(&room) {
            if followers.remove(&socket.number).is_some_and(|follower| follower.present.get()) {
                self.chat.hub.leave(room, socket.user);
            }
            if followers.is_empty() {
                rooms.remove(&room);
                self.chat.hub.unwatch(self.id, room);
            }
        }
    }

    // Deliveries

    async fn deliver_all(self: Rc<Self>, mut deliveries: mpsc::Receiver<Delivery>) {
        let mut taken = Vec::with_capacity(TAKE);
        while deliveries.recv_many(&mut taken, TAKE).await > 0 {
            for delivery in taken.drain(..) {
                self.deliver(delivery);
            }
            // Lets the sockets send before the next burst is taken.
            tokio::task::yield_now().await;
        }
    }

    fn deliver(&self, delivery: Delivery) {
        match delivery {
            Delivery::Event(event) => self.deliver_event(&event),
            Delivery::Gone(room) => {
                let followers: Vec<_> = self.followers_of(room, |_| true);
                for socket in followers {
                    socket.outbox.say(frames::left(room, Why::Deleted));
                    self.unfollow(&socket, room);
                }
            }
            Delivery::Passing { room, frame } => {
                let frame = outbox::text(frame);
                for follower in
                    self.rooms.borrow().get(&room).into_iter().flatten().map(|(_, follower)| follower)
                {
                    if !follower.socket.outbox.push_passing(frame.clone()) {
                        self.chat.metrics.dropped_passing.inc();
                    }
                }
            }
            Delivery::Notice { user, frame } => {
                let frame = outbox::text(frame);
                for socket in self.by_user.borrow().get(&user).into_iter().flatten() {
                    socket.outbox.push(frame.clone());
                }
            }
        }
    }

    fn deliver_event(&self, event: &Event) {
        // SECURITY: whose membership ends with this event sees neither it nor anything after it.
        if let Some((user, why)) = event.ends {
            for socket in self.followers_of(event.room, |socket| socket.user == user) {
                socket.outbox.say(frames::left(event.room, why));
                self.unfollow(&socket, event.room);
            }
        }
        // As it goes over the wire: the same bytes for all.
        let frame = outbox::text(event.frame.clone());
        for follower in
            self.rooms.borrow().get(&event.room).into_iter().flatten().map(|(_, follower)| follower)
        {
            match follower.progress.get() {
                Progress::Live { last } if event.seq == last.next() => {
                    follower.progress.set(Progress::Live { last: event.seq });
                    follower.socket.outbox.push(frame.clone());
                }
                Progress::Live { last } if event.seq <= last => {}
                // The hub leaves no gaps; should it ever, the client gets the rest by resuming.
                Progress::Live { .. } => follower.socket.outbox.end(Close::Internal),
                Progress::CatchingUp { mark } => {
                    follower.progress.set(Progress::CatchingUp { mark: mark.max(event.seq) });
                }
            }
        }
        if let Some(since) = event.since {
            self.chat.metrics.deliver_seconds.observe(since.committed.elapsed().as_secs_f64());
            self.chat.metrics.e2e_seconds.observe(since.asked.elapsed().as_secs_f64());
        }
    }

    fn followers_of(&self, room: RoomId, wanted: impl Fn(&Socket) -> bool) -> Vec<Rc<Socket>> {
        let rooms = self.rooms.borrow();
        let followers = rooms.get(&room).into_iter().flatten().map(|(_, follower)| &follower.socket);
        followers.filter(|socket| wanted(socket)).map(Rc::clone).collect()
    }

    // Time

    /// Signs of life, and the end of those who give none or whose token ran out. One timer for all sockets.
    async fn keep_time(self: Rc<Self>) {
        let every = (self.heartbeat / 5).min(Duration::from_secs(1));
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (heartbeat, ping) =
            (outbox::text(frames::heartbeat()), outbox::encoded(Message::Ping(Bytes::new())));
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let wall = self.chat.clock.now();
            for socket in self.sockets.borrow().values() {
                if now >= socket.beat.get() {
                    socket.beat.set(now + self.jittered(socket.number));
                    // A page's script cannot see pings: the text is for it, the ping for everything in between.
                    socket.outbox.push_passing(heartbeat.clone());
                    socket.outbox.push(ping.clone());
                }
                if now.duration_since(socket.heard.get()) > self.heartbeat.mul_f64(1.2) * MISSES {
                    socket.outbox.end(Close::Silent);
                }
                if socket.outbox.is_stalled(now) {
                    socket.outbox.end(Close::Slow);
                }
                if wall >= socket.identity.borrow().expires_at + RENEWAL {
                    socket.outbox.end(Close::Expired);
                }
            }
        }
    }

    /// Ends the sockets of sessions that were revoked, as soon as this process knows.
    async fn watch_revocations(self: Rc<Self>) {
        let mut changes = self.verifier.changes();
        while changes.changed().await.is_ok() {
            for socket in self.sockets.borrow().values() {
                // Expiry has its own grace, in `keep_time`.
                if self.verifier.still_valid(&socket.identity.borrow()) == Err(TokenError::Revoked) {
                    socket.outbox.end(Close::Revoked);
                }
            }
        }
    }

    /// Says goodbye to all sockets, spread over [`DRAIN`]; each client comes back elsewhere at its own moment.
    async fn drain(&self) {
        let sockets: Vec<_> = self.sockets.borrow().values().map(Rc::clone).collect();
        let batches = 12;
        let scatter = SCATTER * u32::try_from(sockets.len()).unwrap_or(u32::MAX);
        for batch in sockets.chunks(sockets.len().div_ceil(batches).max(1)) {
            for socket in batch {
                socket.outbox.say(frames::bye(scatter.mul_f64(part_of(socket.number))));
                socket.outbox.end_after(Close::Drain);
            }
            tokio::time::sleep(DRAIN / u32::try_from(batches).unwrap_or(1)).await;
        }
        // A reader that takes nothing is not waited for.
        for socket in self.sockets.borrow().values() {
            socket.outbox.end(Close::Drain);
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        while !self.sockets.borrow().is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Scatters sockets evenly between 0 and 1. Anything cheap does: multiplicative hashing by the golden ratio.
fn part_of(number: Number) -> f64 {
    let scatter = u32::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).unwrap_or(0);
    f64::from(scatter) / f64::from(u32::MAX)
}
