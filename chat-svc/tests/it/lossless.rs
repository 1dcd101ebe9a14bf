//! A checker that tries to prove loss: clients write and read in several rooms while replicas are killed and Redis is
//! paused, stopped and cut. In the end every client has exactly the events 1..last of each room, in order, once; every
//! acknowledged message is in the log once; every other at most once.
//!
//! `CHAOS_SECONDS` makes it go on for longer (`just chaos`).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Cluster, Socket, User};

const ROOMS: usize = 3;
const CLIENTS: usize = 9;

/// A client as docs/chat-protocol.md asks for: it resumes where it was, and sends again what was not acknowledged.
struct Client {
    user: User,
    replicas: Vec<String>,
    rooms: Vec<String>,
    /// The last seq of each room that was taken in.
    last: BTreeMap<String, i64>,
    /// Every durable event as it was taken in: room, seq, and for messages who said what.
    taken: Vec<(String, i64, Option<String>)>,
    /// Messages without an answer: by cid, their room.
    open: BTreeMap<String, String>,
    /// Of this connection: which message an answer is about.
    asked: HashMap<u64, String>,
    /// By cid, the seq that the service named.
    acknowledged: HashMap<String, i64>,
    /// How often a frame came that the rules forbid.
    violations: Vec<String>,
    connections: usize,
}

impl Client {
    /// Until `stop` it writes; then it goes on until all is acknowledged and read up to the rooms' ends.
    async fn run(
        mut self,
        stop: Arc<AtomicBool>,
        sent: Arc<AtomicUsize>,
        ends: Arc<tokio::sync::OnceCell<BTreeMap<String, i64>>>,
    ) -> Self {
        let mut turn = usize::try_from(self.user.id.as_uuid().as_u128() % 7).expect("small");
        let mut number = 0;
        loop {
            let base = self.replicas[turn % self.replicas.len()].clone();
            turn += 1;
            let Ok(mut socket) = Socket::open(&base, &self.user.token).await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            self.connections += 1;
            if self.live(&mut socket, &stop, &sent, &ends, &mut number).await {
                return self;
            }
        }
    }

    /// One connection; true once everything is done.
    async fn live(
        &mut self,
        socket: &mut Socket,
        stop: &AtomicBool,
        sent: &AtomicUsize,
        ends: &tokio::sync::OnceCell<BTreeMap<String, i64>>,
        number: &mut usize,
    ) -> bool {
        for room in &self.rooms.clone() {
            let after = self.last.get(room).copied().unwrap_or(0);
            if post(socket, json!({ "t": "join", "id": 1, "room": room, "after": after })).await.is_err() {
                return false;
            }
        }
        self.asked.clear();
        for (cid, room) in self.open.clone() {
            if self.send(socket, &room, &cid).await.is_err() {
                return false;
            }
        }
        let mut ticks = tokio::time::interval(Duration::from_millis(25));
        loop {
            tokio::select! {
                message = socket.stream.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let frame: Value = serde_json::from_str(&text).expect("JSON");
                        if !self.take(&frame) {
                            return false;
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return false,
                },
                _ = ticks.tick() => {
                    if !stop.load(Ordering::Relaxed) {
                        let cid = format!("{}-{number}", self.user.id);
                        let room = self.rooms[*number % self.rooms.len()].clone();
                        *number += 1;
                        self.open.insert(cid.clone(), room.clone());
                        // Counted before it leaves: a connection that breaks meanwhile may have carried it.
                        sent.fetch_add(1, Ordering::Relaxed);
                        // Every fifth is sent twice at once, as an impatient client does.
                        let times = if (*number).is_multiple_of(5) { 2 } else { 1 };
                        for _ in 0..times {
                            if self.send(socket, &room, &cid).await.is_err() {
                                return false;
                            }
                        }
                    } else if let Some(ends) = ends.get()
                        && self.open.is_empty()
                        && ends.iter().all(|(room, end)| self.last.get(room) == Some(end))
                    {
                        return true;
                    }
                }
            }
        }
    }

    async fn send(&mut self, socket: &mut Socket, room: &str, cid: &str) -> Result<(), ()> {
        // 1 is for joins.
        let id = u64::try_from(self.asked.len()).expect("few") + 2;
        self.asked.insert(id, cid.to_owned());
        post(socket, json!({ "t": "send", "id": id, "room": room, "cid": cid, "body": cid })).await
    }

    /// Takes in a frame; false when the connection is to be given up.
    fn take(&mut self, frame: &Value) -> bool {
        match frame["t"].as_str().expect("a type") {
            "ok" | "err" if frame["id"] == 1 => frame["t"] == "ok",
            "ok" => {
                let seq = frame["seq"].as_i64().expect("a seq");
                let cid = self.asked[&frame["id"].as_u64().expect("an id")].clone();
                self.open.remove(&cid);
                let before = self.acknowledged.insert(cid.clone(), seq);
                if before.is_some_and(|before| before != seq) {
                    self.violations.push(format!("{cid} has two seqs: {before:?} and {seq}"));
                }
                true
            }
            // What was not stored is sent again on the next connection.
            "err" => false,
            "msg" | "member" | "edit" | "del" | "react" | "room" => {
                let (room, seq) =
                    (frame["room"].as_str().expect("a room"), frame["seq"].as_i64().expect("a seq"));
                let last = self.last.entry(room.to_owned()).or_insert(0);
                if seq != *last + 1 {
                    self.violations.push(format!("{room}: {seq} after {last}"));
                }
                *last = seq;
                self.taken.push((room.to_owned(), seq, frame["cid"].as_str().map(str::to_owned)));
                true
            }
            "reset" => {
                self.violations.push(format!("reset: {frame}"));
                false
            }
            _ => true,
        }
    }
}

async fn post(socket: &mut Socket, frame: Value) -> Result<(), ()> {
    socket.stream.send(Message::text(frame.to_string())).await.map_err(|_| ())
}

/// Cuts all subscriber connections.
fn cut_subscribers(port: u16) {
    if let Ok(mut redis) = std::net::TcpStream::connect(("127.0.0.1", port)) {
        let _ = redis.write_all(b"CLIENT KILL TYPE pubsub\r\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_out_of_order_whatever_is_killed() {
    let seconds = std::env::var("CHAOS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let mut cluster = Cluster::start(3).await;
    let bases: Vec<_> = cluster.replicas.iter().map(|replica| replica.base.clone()).collect();
    let users: Vec<_> = (0..CLIENTS).map(|number| cluster.user(0, &format!("user{number}"))).collect();
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        let room = users[0].create_room("public", &format!("room {number}")).await;
        for user in &users[1..] {
            user.join_room(&room).await;
        }
        rooms.push(room);
    }
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let ends = Arc::new(tokio::sync::OnceCell::new());
    let clients: Vec<_> = users
        .iter()
        .map(|user| {
            let client = Client {
                user: user.clone(),
                replicas: bases.clone(),
                rooms: rooms.clone(),
                last: BTreeMap::new(),
                taken: Vec::new(),
                open: BTreeMap::new(),
                asked: HashMap::new(),
                acknowledged: HashMap::new(),
                violations: Vec::new(),
                connections: 0,
            };
            tokio::spawn(client.run(Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&ends)))
        })
        .collect();

    torment(&mut cluster, Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    // All that is under way is stored or refused by then; clients still send again what is open, so the ends move on
    // until every client has nothing open. Read them until they stand still.
    let last = settled_ends(&cluster, &users[0], &rooms).await;
    ends.set(last.clone()).expect("set once");

    let mut by_room: BTreeMap<String, BTreeMap<i64, String>> = BTreeMap::new();
    let mut acknowledged = 0;
    let mut connections = 0;
    for client in clients {
        let client = tokio::time::timeout(Duration::from_secs(60), client)
            .await
            .expect("every client catches up")
            .expect("no client panics");
        assert_eq!(client.violations, Vec::<String>::new());
        for room in &rooms {
            let seqs: Vec<i64> =
                client.taken.iter().filter(|(of, ..)| of == room).map(|(_, seq, _)| *seq).collect();
            assert_eq!(seqs, (1..=last[room]).collect::<Vec<_>>());
        }
        // All clients took in the same.
        for (room, seq, cid) in &client.taken {
            if let Some(cid) = cid {
                let known =
                    by_room.entry(room.clone()).or_default().entry(*seq).or_insert_with(|| cid.clone());
                assert_eq!(known, cid);
            }
        }
        for (cid, seq) in &client.acknowledged {
            let stands = by_room.values().filter(|log| log.get(seq) == Some(cid)).count();
            assert_eq!(stands, 1, "{cid} was acknowledged as {seq}");
        }
        acknowledged += client.acknowledged.len();
        connections += client.connections;
    }
    let all: Vec<_> = by_room.values().flat_map(BTreeMap::values).collect();
    let unique: HashSet<_> = all.iter().collect();
    assert_eq!(all.len(), unique.len(), "a message stands twice in the log");
    assert_eq!(acknowledged, sent.load(Ordering::Relaxed), "an acknowledged message is missing");
    assert_eq!(all.len(), acknowledged);
    assert!(
        acknowledged > 100 && connections > CLIENTS,
        "{acknowledged} messages, {connections} connections"
    );
    println!("{acknowledged} messages, {connections} connections, nothing lost");
}

/// Does one evil thing after another.
async fn torment(cluster: &mut Cluster, time: Duration) {
    let until = std::time::Instant::now() + time;
    let breathe = Duration::from_millis(700);
    let mut round = 0;
    while std::time::Instant::now() < until {
        let victim = round % 3;
        cluster.kill(victim);
        tokio::time::sleep(breathe).await;
        cluster.start_replica(victim);
        cut_subscribers(cluster.redis.port());
        tokio::time::sleep(breathe).await;
        cluster.redis.pause();
        tokio::time::sleep(breathe * 3).await;
        cluster.redis.resume();
        tokio::time::sleep(breathe).await;
        cluster.redis.stop();
        cluster.kill((victim + 1) % 3);
        tokio::time::sleep(breathe).await;
        cluster.redis.start_again();
        cluster.start_replica((victim + 1) % 3);
        tokio::time::sleep(breathe).await;
        round += 1;
    }
    for replica in 0..3 {
        cluster.ready(replica).await;
    }
}

async fn settled_ends(cluster: &Cluster, user: &User, rooms: &[String]) -> BTreeMap<String, i64> {
    let user = user.at(&cluster.replicas[0].base);
    let mut before = BTreeMap::new();
    let mut quiet = 0;
    while quiet < 4 {
        let mut now = BTreeMap::new();
        for room in rooms {
            let shown = user.get(&format!("/chat/rooms/{room}")).await.expect(200);
            now.insert(room.clone(), shown["last_seq"].as_i64().expect("a seq"));
        }
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    before
}
