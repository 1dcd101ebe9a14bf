//! A checker that tries to prove loss: clients write, edit, react, delete and read in several rooms while replicas are
//! killed, Redis is paused, stopped and cut, and the database restarts. In the end every client has exactly the events
//! 1..last of each room, in order, once, the same as all others; whatever was acknowledged is in the log once; everything
//! else at most once.
//!
//! Three replicas stand behind a gateway where its program was built, as all tests together do; `CHAOS_SECONDS` makes it
//! go on for longer (`just chaos`).

use std::{
    collections::{BTreeMap, HashMap},
    io::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use irongate_test_servers::eventually;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Cluster, Socket, User};

const ROOMS: usize = 3;
const CLIENTS: usize = 9;

/// What one client has open at most.
const WINDOW: usize = 20;

/// Of joins, which nobody waits for one by one.
const JOIN: u64 = 1;

/// Of everything else.
const FIRST_ID: u64 = 2;

/// A client as docs/chat-protocol.md asks for: it resumes where it was, and sends again what was not acknowledged.
struct Client {
    user: User,
    /// Where it connects, in turn.
    doors: Vec<String>,
    rooms: Vec<String>,
    /// The last seq of each room that was taken in.
    last: BTreeMap<String, i64>,
    /// Every durable event as it was taken in.
    taken: Vec<Taken>,
    /// What has no answer: the frame, by what the log will say of it.
    open: BTreeMap<Deed, Value>,
    /// Of this connection: what an answer is about.
    asked: HashMap<u64, Deed>,
    next_id: u64,
    /// What the service said is done.
    acknowledged: HashMap<Deed, Option<i64>>,
    /// How often a frame came that the rules forbid.
    violations: Vec<String>,
    connections: usize,
    /// Counts the clients that have nothing open and will ask for nothing more; this one not yet.
    settled: Option<Arc<AtomicUsize>>,
}

/// The room, and what happens there: a message's `cid`, or `edit 7`, `react 7`, `del 7`. Each happens once.
type Deed = (String, String);

struct Taken {
    room: String,
    seq: i64,
    /// Nothing for events that no client asked for by a frame.
    what: Option<String>,
}

impl Client {
    fn new(user: User, doors: Vec<String>, rooms: Vec<String>, settled: Arc<AtomicUsize>) -> Self {
        Self {
            user,
            doors,
            rooms,
            last: BTreeMap::new(),
            taken: Vec::new(),
            open: BTreeMap::new(),
            asked: HashMap::new(),
            next_id: FIRST_ID,
            acknowledged: HashMap::new(),
            violations: Vec::new(),
            connections: 0,
            settled: Some(settled),
        }
    }

    /// Until `stop` it writes; then it goes on until all is acknowledged and read up to the rooms' ends.
    async fn run(
        mut self,
        stop: Arc<AtomicBool>,
        ends: Arc<tokio::sync::OnceCell<BTreeMap<String, i64>>>,
    ) -> Self {
        let mut turn = usize::try_from(self.user.id.as_uuid().as_u128() % 7).expect("small");
        let mut number = 0;
        loop {
            let door = self.doors[turn % self.doors.len()].clone();
            turn += 1;
            let Ok(mut socket) = Socket::open(&door, &self.user.token).await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            self.connections += 1;
            if self.live(&mut socket, &stop, &ends, &mut number).await {
                return self;
            }
        }
    }

    /// One connection; true once everything is done.
    async fn live(
        &mut self,
        socket: &mut Socket,
        stop: &AtomicBool,
        ends: &tokio::sync::OnceCell<BTreeMap<String, i64>>,
        number: &mut usize,
    ) -> bool {
        for room in &self.rooms.clone() {
            let after = self.last.get(room).copied().unwrap_or(0);
            let join = json!({ "t": "join", "id": JOIN, "room": room, "after": after });
            if post(socket, join).await.is_err() {
                return false;
            }
        }
        self.asked.clear();
        self.next_id = FIRST_ID;
        for deed in self.open.keys().cloned().collect::<Vec<_>>() {
            if self.send(socket, &deed).await.is_err() {
                return false;
            }
        }
        let mut ticks = tokio::time::interval(Duration::from_millis(25));
        loop {
            tokio::select! {
                message = socket.stream.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let frame: Value = serde_json::from_str(&text).expect("JSON");
                        match self.take(&frame) {
                            Next::GiveUp => return false,
                            Next::GoOn => {}
                            Next::Then(deed) => if self.send(socket, &deed).await.is_err() {
                                return false;
                            }
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return false,
                },
                _ = ticks.tick() => {
                    if !stop.load(Ordering::Relaxed) {
                        // A machine that is slow is asked for less.
                        if self.open.len() >= WINDOW {
                            continue;
                        }
                        let cid = format!("{}-{number}", self.user.id);
                        let room = self.rooms[*number % self.rooms.len()].clone();
                        *number += 1;
                        let frame = json!({ "t": "send", "room": room, "cid": cid, "body": cid });
                        let deed = (room, cid);
                        // Noted before it leaves: a connection that breaks meanwhile may have carried it.
                        self.open.insert(deed.clone(), frame);
                        // Every fifth is sent twice at once, as an impatient client does.
                        let times = if (*number).is_multiple_of(5) { 2 } else { 1 };
                        for _ in 0..times {
                            if self.send(socket, &deed).await.is_err() {
                                return false;
                            }
                        }
                    } else if self.open.is_empty() {
                        if let Some(settled) = self.settled.take() {
                            settled.fetch_add(1, Ordering::Relaxed);
                        }
                        let ends = ends.get();
                        if ends.is_some_and(|ends| ends.iter().all(|(room, end)| self.last.get(room) == Some(end))) {
                            return true;
                        }
                    }
                }
            }
        }
    }

    async fn send(&mut self, socket: &mut Socket, deed: &Deed) -> Result<(), ()> {
        let Some(mut frame) = self.open.get(deed).cloned() else { return Ok(()) };
        frame["id"] = json!(self.next_id);
        self.asked.insert(self.next_id, deed.clone());
        self.next_id += 1;
        post(socket, frame).await
    }

    fn take(&mut self, frame: &Value) -> Next {
        match frame["t"].as_str().expect("a type") {
            "ok" | "err" if frame["id"] == JOIN => {
                if frame["t"] == "ok" {
                    Next::GoOn
                } else {
                    Next::GiveUp
                }
            }
            "ok" => self.done(frame),
            // What was not stored is sent again on the next connection.
            "err" => Next::GiveUp,
            "msg" | "member" | "edit" | "del" | "react" | "room" => {
                let (room, seq) =
                    (frame["room"].as_str().expect("a room"), frame["seq"].as_i64().expect("a seq"));
                let last = self.last.entry(room.to_owned()).or_insert(0);
                if seq != *last + 1 {
                    self.violations.push(format!("{room}: {seq} after {last}"));
                }
                *last = seq;
                self.taken.push(Taken { room: room.to_owned(), seq, what: what(frame) });
                Next::GoOn
            }
            "reset" => {
                self.violations.push(format!("reset: {frame}"));
                Next::GiveUp
            }
            _ => Next::GoOn,
        }
    }

    /// Something is acknowledged. Of every four messages, one is edited then, one reacted to, one deleted.
    fn done(&mut self, frame: &Value) -> Next {
        let deed = self.asked[&frame["id"].as_u64().expect("an id")].clone();
        self.open.remove(&deed);
        // A change that an earlier connection made is acknowledged without a seq.
        let seq = frame["seq"].as_i64();
        let before = self.acknowledged.get(&deed).copied();
        if let Some(before) = before {
            if before.is_some() && seq.is_some() && before != seq {
                self.violations.push(format!("{deed:?} has two seqs: {before:?} and {seq:?}"));
            }
            return Next::GoOn;
        }
        self.acknowledged.insert(deed.clone(), seq);
        let (room, cid) = deed;
        let (Some(seq), Some(number)) =
            (seq, cid.rsplit('-').next().and_then(|text| text.parse::<u64>().ok()))
        else {
            return Next::GoOn;
        };
        let (kind, mut change) = match number % 4 {
            0 => ("edit", json!({ "body": format!("{cid}, edited") })),
            1 => ("react", json!({ "emoji": "🌱", "on": true })),
            2 => ("del", json!({})),
            _ => return Next::GoOn,
        };
        change["t"] = json!(kind);
        change["room"] = json!(room);
        change["seq"] = json!(seq);
        let deed = (room, format!("{kind} {seq}"));
        self.open.insert(deed.clone(), change);
        Next::Then(deed)
    }
}

/// What a frame that was taken in leads to.
enum Next {
    GoOn,
    Then(Deed),
    GiveUp,
}

/// What an event of the log is, as a [`Deed`] says it.
fn what(frame: &Value) -> Option<String> {
    match frame["t"].as_str()? {
        "msg" => Some(frame["cid"].as_str()?.to_owned()),
        kind @ ("edit" | "del" | "react") => Some(format!("{kind} {}", frame["ref"].as_i64()?)),
        _ => None,
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
    let mut cluster = Cluster::start_alone(3).await;
    let gateway = Gateway::before(&cluster);
    check(&mut cluster, gateway, async |cluster, until| {
        let breathe = Duration::from_millis(700);
        for round in 0.. {
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
            cluster.restart_database().await;
            tokio::time::sleep(breathe).await;
            cluster.redis.stop();
            cluster.kill((victim + 1) % 3);
            tokio::time::sleep(breathe).await;
            cluster.redis.start_again();
            cluster.start_replica((victim + 1) % 3);
            tokio::time::sleep(breathe).await;
            if Instant::now() > until {
                return;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_on_sqlite_when_the_one_process_is_killed_or_stands_still() {
    let mut cluster = Cluster::start_on_sqlite().await;
    check(&mut cluster, None, async |cluster, until| {
        let breathe = Duration::from_millis(700);
        loop {
            tokio::time::sleep(breathe).await;
            cluster.kill(0);
            cluster.start_replica(0);
            cluster.ready(0).await;
            tokio::time::sleep(breathe).await;
            cluster.signal(0, "STOP");
            tokio::time::sleep(breathe * 2).await;
            cluster.signal(0, "CONT");
            if Instant::now() > until {
                return;
            }
        }
    })
    .await;
}

/// Lets clients write and read while `torment` does one evil thing after another until the time is over.
async fn check(
    cluster: &mut Cluster,
    gateway: Option<Gateway>,
    torment: impl AsyncFnOnce(&mut Cluster, Instant),
) {
    let seconds = std::env::var("CHAOS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let doors: Vec<_> = match &gateway {
        Some(gateway) => vec![gateway.base.clone()],
        None => cluster.replicas.iter().map(|replica| replica.base.clone()).collect(),
    };
    let users: Vec<_> = (0..CLIENTS).map(|number| cluster.user(0, &format!("user{number}"))).collect();
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        let room = users[0].create_room("public", &format!("room {number}")).await;
        for user in &users[1..] {
            user.join_room(&room).await;
        }
        rooms.push(room);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let settled = Arc::new(AtomicUsize::new(0));
    let ends = Arc::new(tokio::sync::OnceCell::new());
    let clients: Vec<_> = users
        .iter()
        .map(|user| {
            let client = Client::new(user.clone(), doors.clone(), rooms.clone(), Arc::clone(&settled));
            tokio::spawn(client.run(Arc::clone(&stop), Arc::clone(&ends)))
        })
        .collect();

    torment(cluster, Instant::now() + Duration::from_secs(seconds)).await;
    for replica in 0..cluster.replicas.len() {
        cluster.ready(replica).await;
    }
    stop.store(true, Ordering::Relaxed);
    // Until then what is open is asked for again, and the ends move on.
    eventually("all that was asked for to be acknowledged", Duration::from_secs(120), || async {
        settled.load(Ordering::Relaxed) == CLIENTS
    })
    .await;
    let last = ends_of(cluster, &users[0], &rooms).await;
    ends.set(last.clone()).expect("set once");

    let mut log: BTreeMap<(String, i64), String> = BTreeMap::new();
    let mut acknowledged: HashMap<Deed, Option<i64>> = HashMap::new();
    let mut connections = 0;
    for client in clients {
        let client = tokio::time::timeout(Duration::from_secs(60), client)
            .await
            .expect("every client catches up")
            .expect("no client panics");
        assert_eq!(client.violations, Vec::<String>::new());
        for room in &rooms {
            let seqs: Vec<i64> =
                client.taken.iter().filter(|taken| taken.room == *room).map(|taken| taken.seq).collect();
            assert_eq!(seqs, (1..=last[room]).collect::<Vec<_>>());
        }
        // All clients took in the same.
        for Taken { room, seq, what } in client.taken {
            if let Some(what) = what {
                let known = log.entry((room, seq)).or_insert_with(|| what.clone());
                assert_eq!(*known, what);
            }
        }
        acknowledged.extend(client.acknowledged);
        connections += client.connections;
    }
    let mut stands: HashMap<Deed, Vec<i64>> = HashMap::new();
    for ((room, seq), what) in &log {
        stands.entry((room.clone(), what.clone())).or_default().push(*seq);
    }
    for (deed, seq) in &acknowledged {
        let at = stands.get(deed).map(Vec::as_slice).unwrap_or_default();
        assert!(
            at.len() == 1 && seq.is_none_or(|seq| at == [seq]),
            "{deed:?}, acknowledged as {seq:?}, stands at {at:?}"
        );
    }
    // In the end everything was acknowledged: what stands beyond that was never asked for.
    assert_eq!(stands.len(), acknowledged.len());
    assert!(
        acknowledged.len() > 100 && connections > CLIENTS,
        "{} deeds, {connections} connections",
        acknowledged.len()
    );
    eprintln!("{} deeds, {} events, {connections} connections, nothing lost", acknowledged.len(), log.len());
}

/// A gateway before the replicas, in the clear.
struct Gateway {
    base: String,
    process: std::process::Child,
    _folder: tempfile::TempDir,
}

impl Gateway {
    /// None where its program was not built beside that of chat-svc.
    fn before(cluster: &Cluster) -> Option<Self> {
        let program = Path::new(env!("CARGO_BIN_EXE_irongate-chat-svc")).with_file_name("irongate-gateway");
        if !program.exists() {
            eprintln!("there is no {}: clients go to the replicas themselves", program.display());
            return None;
        }
        let folder = tempfile::tempdir().expect("a directory");
        let port = irongate_test_servers::free_port();
        let servers: Vec<_> = cluster
            .replicas
            .iter()
            .map(|replica| format!("{:?}", replica.base.trim_start_matches("http://")))
            .collect();
        let settings = format!(
            "[listen]\nhttp = \"127.0.0.1:{port}\"\nhttps = []\n[admin]\nlisten = \"127.0.0.1:{}\"\n\
             [upstream.chat]\nservers = [{}]\n[[route]]\npath = \"/chat\"\nupstream = \"chat\"\n",
            irongate_test_servers::free_port(),
            servers.join(", ")
        );
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, settings).expect("the settings are written");
        let process = std::process::Command::new(program)
            .arg("--config")
            .arg(&file)
            .env("IRONGATE_DATA", folder.path())
            .env("RUST_LOG", "error")
            .stdin(std::process::Stdio::null())
            // Its access log.
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("the gateway starts");
        Some(Self { base: format!("http://127.0.0.1:{port}"), process, _folder: folder })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the logs end, once nobody writes any more.
async fn ends_of(cluster: &Cluster, user: &User, rooms: &[String]) -> BTreeMap<String, i64> {
    let user = user.at(&cluster.replicas[0].base);
    let mut ends = BTreeMap::new();
    for room in rooms {
        let shown = user.get(&format!("/chat/rooms/{room}")).await.expect(200);
        ends.insert(room.clone(), shown["last_seq"].as_i64().expect("a seq"));
    }
    ends
}
