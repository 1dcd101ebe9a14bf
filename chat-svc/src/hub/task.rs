//! The task that owns all rooms' orders.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bytestring::ByteString;
use irongate_shared::{
    db::{Database, DbError},
    id::UserId,
};
use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{Ask, Delivery, Hub, PASSING, Passing, WorkerId, order::Order};
use crate::{
    broker::{Broker, Heard, Link, Word},
    log::{News, Notice},
    metrics::Metrics,
    presence::{CROWD, Change, Presence, RENEWAL},
    room::{Event, Refused, RoomId, Seq, frame},
    store,
};

/// How long an event that overtook another waits before the database is asked for the other: what replicas publish
/// does not arrive in the order of commits, so a moment of disorder is usual.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long a room that nobody watches any more stays subscribed: people reload pages.
const LINGER: Duration = Duration::from_secs(30);

/// Events of one reading.
const PAGE: i64 = 500;

/// Rooms of one question for their ends.
const TAIL_PAGE: usize = 500;

/// How often the ends of all watched rooms are compared with the database.
const fn tail_every(link: Link) -> Duration {
    match link {
        // This process hears of every commit; only one whose fate was unknown can be missed.
        Link::Alone => Duration::from_secs(5),
        Link::Up => Duration::from_secs(5),
        // Then this is how events travel.
        Link::Down => Duration::from_millis(300),
    }
}

/// How often absences are looked for.
const PRESENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
#[serde(tag = "t", rename = "pres")]
struct Pres {
    room: RoomId,
    user: UserId,
    status: &'static str,
}

/// Who is there; nobody by name when they are too many.
fn crowd(presence: &Presence) -> Vec<UserId> {
    let all = presence.all();
    if all.len() > CROWD { Vec::new() } else { all.into_iter().collect() }
}

/// One watched room.
struct Watched {
    order: Opening,
    workers: Vec<WorkerId>,
    /// Since when nobody watches it.
    idle: Option<Instant>,
    /// A reading is under way.
    filling: bool,
    presence: Presence,
}

enum Opening {
    /// Where the log ends is being read; what is heard meanwhile waits.
    Under {
        heard: Vec<Arc<Event>>,
        waiting: Vec<oneshot::Sender<Result<Seq, Refused>>>,
    },
    Done(Order),
}

/// What readings found.
enum Read {
    End {
        room: RoomId,
        end: Result<Option<Seq>, Refused>,
    },
    Events {
        room: RoomId,
        events: Result<Vec<Event>, DbError>,
    },
    /// Which rooms show a name that has changed.
    Showing {
        rooms: Vec<RoomId>,
        frame: ByteString,
    },
    Ends {
        asked: Vec<RoomId>,
        ends: Result<Vec<(RoomId, Seq)>, DbError>,
    },
}

/// The hub's task; [`Task::run`] it once.
pub(crate) struct Task {
    asks: mpsc::UnboundedReceiver<Ask>,
    passing: mpsc::Receiver<Passing>,
    news: mpsc::Receiver<News>,
    heard: mpsc::Receiver<Heard>,
    read: mpsc::UnboundedReceiver<Read>,
    /// Where spawned readings report; one per room at most, one for the ends, and those for new names.
    report: mpsc::UnboundedSender<Read>,
    broker: Broker,
    link: Link,
    database: Database,
    metrics: Metrics,
    rooms: HashMap<RoomId, Watched>,
    workers: HashMap<WorkerId, mpsc::Sender<Delivery>>,
    /// Rooms with something missing, and when patience with them ends.
    behind: HashMap<RoomId, Instant>,
    ends_asked: bool,
    next_tail: Instant,
    next_presence: Instant,
    next_renewal: Instant,
}

impl Task {
    pub(crate) fn new(
        database: Database,
        metrics: Metrics,
        news: mpsc::Receiver<News>,
        (broker, heard): (Broker, mpsc::Receiver<Heard>),
    ) -> (Hub, Self) {
        let (ask, asks) = mpsc::unbounded_channel();
        let (pass, passing) = mpsc::channel(PASSING);
        let (report, read) = mpsc::unbounded_channel();
        let link = broker.link();
        let task = Self {
            asks,
            passing,
            news,
            heard,
            read,
            report,
            broker,
            link,
            database,
            metrics,
            rooms: HashMap::new(),
            workers: HashMap::new(),
            behind: HashMap::new(),
            ends_asked: false,
            next_tail: Instant::now() + tail_every(link),
            next_presence: Instant::now() + PRESENCE,
            next_renewal: Instant::now() + RENEWAL,
        };
        (Hub { asks: ask, passing: pass, workers: Arc::default() }, task)
    }

    /// Runs until the lanes have ended.
    pub(crate) async fn run(mut self) {
        loop {
            let timers = [self.next_tail, self.next_presence];
            let wake = self.behind.values().copied().chain(timers).min().unwrap_or(self.next_tail);
            tokio::select! {
                news = self.news.recv() => match news {
                    Some(news) => self.tell(news).await,
                    None => return,
                },
                Some(heard) = self.heard.recv() => self.hear(heard).await,
                Some(read) = self.read.recv() => self.learn(read).await,
                Some(ask) = self.asks.recv() => self.answer(ask).await,
                Some(passing) = self.passing.recv() => self.pass(passing).await,
                () = tokio::time::sleep_until(wake) => self.tick().await,
            }
        }
    }

    async fn tell(&mut self, news: News) {
        match news {
            News::Committed(events) => {
                for event in events {
                    self.broker.publish(&Word::Event(event.clone()));
                    self.offer(event).await;
                }
            }
            News::Reached(room, seq) => {
                self.broker.publish(&Word::Reached(room, seq));
                self.reach(room, seq);
            }
            News::Gone(room) => {
                self.broker.publish(&Word::Gone(room));
                self.gone(room).await;
            }
            News::Notices(notices) => {
                for Notice { user, frame } in notices {
                    self.broker.publish(&Word::Notice { user, frame: frame.clone() });
                    self.tell_everybody(&Delivery::Notice { user, frame }).await;
                }
            }
        }
    }

    async fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Word(Word::Event(event)) => self.offer(event).await,
            Heard::Word(Word::Reached(room, seq)) => self.reach(room, seq),
            Heard::Word(Word::Gone(room)) => self.gone(room).await,
            Heard::Word(Word::Passing { room, frame }) => {
                self.tell_watchers(room, &Delivery::Passing { room, frame }).await;
            }
            Heard::Word(Word::Notice { user, frame }) => {
                self.tell_everybody(&Delivery::Notice { user, frame }).await;
            }
            Heard::Word(Word::Renamed { user, frame }) => self.rename(user, frame),
            Heard::Word(Word::Presence { replica, room, change }) => {
                let Some(watched) = self.rooms.get_mut(&room) else { return };
                let news = watched.presence.told(replica, &change, Instant::now());
                self.show_presence(room, news.as_slice()).await;
            }
            Heard::Word(Word::WhoIsThere(room)) => {
                if let Some(watched) = self.rooms.get(&room) {
                    self.tell_present(room, watched);
                }
            }
            Heard::Word(Word::Present { replica, room, users }) => {
                let Some(watched) = self.rooms.get_mut(&room) else { return };
                let news = watched.presence.told_all(replica, users.into_iter().collect(), Instant::now());
                self.show_presence(room, &news).await;
            }
            Heard::Up => {
                self.link = Link::Up;
                // Whatever was said while nobody listened is in the database, and who is there can be said again.
                self.next_tail = Instant::now();
                self.next_renewal = Instant::now();
            }
            Heard::Down => {
                self.link = Link::Down;
                self.next_tail = Instant::now();
            }
        }
    }

    async fn pass(&mut self, Passing { room, frame }: Passing) {
        self.broker.publish(&Word::Passing { room, frame: frame.clone() });
        self.tell_watchers(room, &Delivery::Passing { room, frame }).await;
    }

    async fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Attach(worker, sender) => {
                self.workers.insert(worker, sender);
            }
            Ask::Watch { worker, room, answer } => self.watch(worker, room, answer),
            Ask::Enter { room, user, answer } => {
                let Some(watched) = self.rooms.get_mut(&room) else { return };
                let news = watched.presence.enter(user);
                let _ = answer.send(crowd(&watched.presence));
                if let Some(change) = news {
                    self.broker.publish(&Word::Presence {
                        replica: self.broker.name(),
                        room,
                        change: change.clone(),
                    });
                    self.show_presence(room, &[change]).await;
                }
            }
            Ask::Leave { room, user } => {
                if let Some(watched) = self.rooms.get_mut(&room) {
                    watched.presence.leave(user, Instant::now());
                }
            }
            Ask::Present { room, answer } => {
                let _ = answer
                    .send(self.rooms.get(&room).map(|watched| crowd(&watched.presence)).unwrap_or_default());
            }
            Ask::Renamed { user, frame } => {
                self.broker.publish(&Word::Renamed { user, frame: frame.clone() });
                self.rename(user, frame);
            }
            Ask::Unwatch { worker, room } => {
                if let Some(watched) = self.rooms.get_mut(&room) {
                    watched.workers.retain(|other| *other != worker);
                    if watched.workers.is_empty() {
                        watched.idle = Some(Instant::now());
                    }
                }
            }
        }
    }

    fn watch(&mut self, worker: WorkerId, room: RoomId, answer: oneshot::Sender<Result<Seq, Refused>>) {
        let watched = self.rooms.entry(room).or_insert_with(|| {
            // First hear, then look where the log ends: the other way round an event could fall in between.
            let subscribed = self.broker.subscribe(room);
            let (database, report) = (self.database.clone(), self.report.clone());
            tokio::spawn(async move {
                subscribed.await;
                let end =
                    database.read(move |db| Ok::<_, DbError>(store::rooms::ends_of(db, &[room])?)).await;
                let end = end.map(|ends| ends.first().map(|(_, seq)| *seq)).map_err(Refused::from);
                let _ = report.send(Read::End { room, end });
            });
            let order = Opening::Under { heard: Vec::new(), waiting: Vec::new() };
            Watched { order, workers: Vec::new(), idle: None, filling: false, presence: Presence::default() }
        });
        watched.idle = None;
        if !watched.workers.contains(&worker) {
            watched.workers.push(worker);
        }
        match &mut watched.order {
            Opening::Under { waiting, .. } => waiting.push(answer),
            Opening::Done(order) => {
                let _ = answer.send(Ok(order.last()));
            }
        }
    }

    async fn learn(&mut self, read: Read) {
        match read {
            Read::End { room, end } => self.opened(room, end).await,
            Read::Events { room, events } => {
                let Some(watched) = self.rooms.get_mut(&room) else { return };
                watched.filling = false;
                match events {
                    Ok(events) => {
                        let none = events.is_empty();
                        for event in events {
                            self.offer(event).await;
                        }
                        self.behind.remove(&room);
                        // Nothing although something is missing: another's commit is under way.
                        self.check(room, if none { PATIENCE } else { Duration::ZERO });
                    }
                    Err(why) => {
                        tracing::debug!(reason = %why, "missing events could not be read");
                        self.check(room, PATIENCE * 10);
                    }
                }
            }
            Read::Showing { rooms, frame } => {
                for room in rooms {
                    self.tell_watchers(room, &Delivery::Passing { room, frame: frame.clone() }).await;
                }
            }
            Read::Ends { asked, ends } => {
                self.ends_asked = false;
                let Ok(ends) = ends else { return };
                let there: HashSet<_> = ends.iter().map(|(room, _)| *room).collect();
                for (room, seq) in ends {
                    self.reach(room, seq);
                }
                for room in asked.into_iter().filter(|room| !there.contains(room)) {
                    self.gone(room).await;
                }
            }
        }
    }

    async fn opened(&mut self, room: RoomId, end: Result<Option<Seq>, Refused>) {
        let Some(watched) = self.rooms.get_mut(&room) else { return };
        let Opening::Under { heard, waiting } = &mut watched.order else { return };
        let (heard, waiting) = (std::mem::take(heard), std::mem::take(waiting));
        let end = match end {
            Ok(Some(end)) => end,
            failed => {
                let why = failed.err().unwrap_or(Refused::NoSuchRoom);
                for answer in waiting {
                    let _ = answer.send(Err(why.clone()));
                }
                self.rooms.remove(&room);
                self.broker.unsubscribe(room);
                return;
            }
        };
        watched.order = Opening::Done(Order::after(end));
        self.broker.publish(&Word::WhoIsThere(room));
        for answer in waiting {
            let _ = answer.send(Ok(end));
        }
        for event in heard {
            self.offer(Arc::unwrap_or_clone(event)).await;
        }
    }

    async fn offer(&mut self, event: Event) {
        let room = event.room;
        let Some(watched) = self.rooms.get_mut(&room) else { return };
        let out = match &mut watched.order {
            Opening::Under { heard, .. } => {
                heard.push(Arc::new(event));
                return;
            }
            Opening::Done(order) => order.offer(Arc::new(event)),
        };
        for event in out {
            self.tell_watchers(room, &Delivery::Event(event)).await;
        }
        self.check(room, PATIENCE);
    }

    fn reach(&mut self, room: RoomId, seq: Seq) {
        if let Some(Watched { order: Opening::Done(order), .. }) = self.rooms.get_mut(&room) {
            order.reach(seq);
            self.check(room, PATIENCE);
        }
    }

    /// Sees to it that what is missing will be read, after `patience` at the latest.
    fn check(&mut self, room: RoomId, patience: Duration) {
        let Some(Watched { order: Opening::Done(order), filling, .. }) = self.rooms.get(&room) else {
            return;
        };
        if !order.is_behind() {
            self.behind.remove(&room);
        } else if !filling {
            self.behind.entry(room).or_insert_with(|| Instant::now() + patience);
        }
    }

    async fn gone(&mut self, room: RoomId) {
        if self.rooms.contains_key(&room) {
            self.tell_watchers(room, &Delivery::Gone(room)).await;
            self.rooms.remove(&room);
            self.behind.remove(&room);
            self.broker.unsubscribe(room);
        }
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        let due: Vec<_> = self.behind.iter().filter(|(_, at)| **at <= now).map(|(room, _)| *room).collect();
        for room in due {
            self.behind.remove(&room);
            self.fill(room);
        }
        if self.next_tail <= now {
            self.next_tail = now + tail_every(self.link);
            self.drop_idle(now);
            self.ask_ends();
        }
        if self.next_presence <= now {
            self.next_presence = now + PRESENCE;
            self.expire_presence(now).await;
        }
    }

    /// Reads what follows the last that went out.
    fn fill(&mut self, room: RoomId) {
        let Some(Watched { order: Opening::Done(order), filling, .. }) = self.rooms.get_mut(&room) else {
            return;
        };
        if *filling || !order.is_behind() {
            return;
        }
        *filling = true;
        let after = order.last();
        self.metrics.backfills.with_label_values(&["gap"]).inc();
        let (database, report) = (self.database.clone(), self.report.clone());
        tokio::spawn(async move {
            let events = database.read(move |db| Ok(store::log::events_after(db, room, after, PAGE)?)).await;
            let _ = report.send(Read::Events { room, events });
        });
    }

    /// Tells those who watch who came and went.
    async fn show_presence(&self, room: RoomId, news: &[Change]) {
        let Some(watched) = self.rooms.get(&room) else { return };
        if news.is_empty() || watched.presence.all().len() > CROWD {
            return;
        }
        for change in news {
            let (user, status) = match change {
                Change::Came(user) => (*user, "online"),
                Change::Went(user) => (*user, "offline"),
            };
            let frame = frame(&Pres { room, user, status });
            self.tell_watchers(room, &Delivery::Passing { room, frame }).await;
        }
    }

    /// Tells the other replicas who is there at this one.
    fn tell_present(&self, room: RoomId, watched: &Watched) {
        let users: Vec<_> = watched.presence.here().take(CROWD).collect();
        if !users.is_empty() {
            self.broker.publish(&Word::Present { replica: self.broker.name(), room, users });
        }
    }

    async fn expire_presence(&mut self, now: Instant) {
        let replica = self.broker.name();
        let mut news = Vec::new();
        for (room, watched) in &mut self.rooms {
            let changes = watched.presence.expire(now);
            if !changes.is_empty() {
                news.push((*room, changes));
            }
        }
        for (room, changes) in news {
            for change in &changes {
                self.broker.publish(&Word::Presence { replica, room, change: change.clone() });
            }
            self.show_presence(room, &changes).await;
        }
        if self.next_renewal <= now {
            self.next_renewal = now + RENEWAL;
            for (room, watched) in &self.rooms {
                self.tell_present(*room, watched);
            }
        }
    }

    fn drop_idle(&mut self, now: Instant) {
        let broker = &self.broker;
        let behind = &mut self.behind;
        self.rooms.retain(|room, watched| {
            let stays = watched.idle.is_none_or(|since| now.duration_since(since) < LINGER);
            if !stays {
                behind.remove(room);
                broker.unsubscribe(*room);
            }
            stays
        });
    }

    /// Looks where a name is shown that has changed. Of all rooms only those matter that somebody follows here.
    fn rename(&self, user: UserId, frame: ByteString) {
        let watched: Vec<_> = self.rooms.keys().copied().collect();
        let (database, report) = (self.database.clone(), self.report.clone());
        tokio::spawn(async move {
            let showing = database
                .read(move |db| {
                    let mut showing = Vec::new();
                    for page in watched.chunks(TAIL_PAGE) {
                        showing.extend(store::rooms::that_show(db, user, page)?);
                    }
                    Ok::<_, DbError>(showing)
                })
                .await;
            match showing {
                Ok(rooms) => {
                    let _ = report.send(Read::Showing { rooms, frame });
                }
                Err(why) => tracing::warn!(reason = %why, "a new name could not be told"),
            }
        });
    }

    fn ask_ends(&mut self) {
        let asked: Vec<_> = self.rooms.keys().copied().collect();
        if self.ends_asked || asked.is_empty() {
            return;
        }
        self.ends_asked = true;
        let (database, report) = (self.database.clone(), self.report.clone());
        tokio::spawn(async move {
            let rooms = asked.clone();
            let ends = database
                .read(move |db| {
                    let mut ends = Vec::new();
                    for page in rooms.chunks(TAIL_PAGE) {
                        ends.extend(store::rooms::ends_of(db, page)?);
                    }
                    Ok::<_, DbError>(ends)
                })
                .await;
            let _ = report.send(Read::Ends { asked, ends });
        });
    }

    async fn tell_watchers(&self, room: RoomId, delivery: &Delivery) {
        let Some(watched) = self.rooms.get(&room) else { return };
        for worker in &watched.workers {
            if let Some(sender) = self.workers.get(worker) {
                let _ = sender.send(delivery.clone()).await;
            }
        }
    }

    async fn tell_everybody(&self, delivery: &Delivery) {
        for sender in self.workers.values() {
            let _ = sender.send(delivery.clone()).await;
        }
    }
}
