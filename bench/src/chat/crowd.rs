//! The load generator of the chat: thousands of WebSockets on one thread over one epoll, frames counted without being
//! parsed.
//!
//! A message carries its sender and the moment at which it was due in its body, behind a mark that is searched for:
//! any peer's frame around it is the same to us.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;
use memchr::memmem::Finder;
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
};

use super::{
    dialect::{Dialect, Step},
    frames,
};
use crate::load::own::latencies;

/// Sockets that are opened at a time: less than any peer's backlog.
const OPENED_TOGETHER: usize = 40;
/// For a step of coming in. Python takes its time for the last of 1,000.
const PATIENCE: Duration = Duration::from_secs(20);
const SCRATCH: usize = 512 << 10;
/// What stands before sender and time in a body.
const MARK: &str = "~~";
/// Characters of a body, a sentence of ordinary length.
const BODY: usize = 100;
/// Without a delivery for so long, messages were lost or the peer stands still.
const STALL: Duration = Duration::from_secs(3);

/// A seat in a room, and who takes it.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) room: String,
    /// An access token, for peers that ask for one.
    pub(crate) token: String,
    /// Whether the one on it sends; all listen.
    pub(crate) sends: bool,
}

struct Member {
    stream: TcpStream,
    room: usize,
    /// The beginning of a frame whose end has not come.
    part: Vec<u8>,
    /// What the kernel did not take yet.
    unsent: Vec<u8>,
    /// Its own messages on their way.
    under_way: usize,
}

/// Open WebSockets in their rooms.
pub(crate) struct Crowd {
    dialect: Dialect,
    members: Vec<Member>,
    rooms: Vec<String>,
    /// How many sit in each room.
    sizes: Vec<u64>,
    senders: Vec<usize>,
    poll: OwnedFd,
    scratch: Vec<u8>,
    began: Instant,
    finder: Finder<'static>,
    sent: u64,
    /// Deliveries that the messages sent so far must lead to.
    due: u64,
    got: u64,
    /// Of the messages that were sent by seats of this crowd, those that came back to their senders.
    returned: u64,
    latencies: Option<Histogram<u64>>,
    /// Messages that each sender keeps on their way; zero: none is sent in answer.
    window: usize,
    heard: Instant,
}

/// What a closed loop saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) time: Duration,
    pub(crate) deliveries: u64,
    pub(crate) messages: u64,
}

impl Crowd {
    /// Opens a socket for each seat, and has it come into its room.
    pub(crate) fn gather(dialect: Dialect, address: SocketAddr, seats: &[Seat]) -> anyhow::Result<Self> {
        let mut crowd = Self {
            dialect,
            members: Vec::new(),
            rooms: Vec::new(),
            sizes: Vec::new(),
            senders: Vec::new(),
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            scratch: vec![0; SCRATCH],
            began: Instant::now(),
            finder: Finder::new(MARK),
            sent: 0,
            due: 0,
            got: 0,
            returned: 0,
            latencies: None,
            window: 0,
            heard: Instant::now(),
        };
        crowd.join(address, seats)?;
        Ok(crowd)
    }

    /// Brings more members in.
    pub(crate) fn join(&mut self, address: SocketAddr, seats: &[Seat]) -> anyhow::Result<()> {
        for group in seats.chunks(OPENED_TOGETHER) {
            let mut opening = Vec::new();
            for seat in group {
                opening.push(Opening::start(self.dialect, address, seat)?);
            }
            for (seat, opening) in group.iter().zip(opening) {
                let (stream, part) = opening.come_in(self.dialect, &seat.room)?;
                self.seat(seat, stream, part)?;
            }
        }
        Ok(())
    }

    fn seat(&mut self, seat: &Seat, stream: TcpStream, part: Vec<u8>) -> anyhow::Result<()> {
        let room = match self.rooms.iter().rposition(|room| *room == seat.room) {
            Some(known) => known,
            None => {
                self.rooms.push(seat.room.clone());
                self.sizes.push(0);
                self.rooms.len() - 1
            }
        };
        if let Some(size) = self.sizes.get_mut(room) {
            *size += 1;
        }
        stream.set_nonblocking(true)?;
        let nth = self.members.len();
        let data = epoll::EventData::new_u64(u64::try_from(nth)?);
        epoll::add(&self.poll, &stream, data, epoll::EventFlags::IN)?;
        if seat.sends {
            self.senders.push(nth);
        }
        self.members.push(Member { stream, room, part, unsent: Vec::new(), under_way: 0 });
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Each sender keeps `window` messages on their way: what the peer can do at most.
    pub(crate) fn run_full(
        &mut self,
        window: usize,
        warm_up: Duration,
        time: Duration,
        mut begin: impl FnMut(),
    ) -> anyhow::Result<Counted> {
        self.window = window;
        self.latencies = None;
        self.top_up()?;
        self.turn_until(Instant::now() + warm_up)?;
        let (got, returned, from) = (self.got, self.returned, Instant::now());
        begin();
        self.turn_until(from + time)?;
        let counted =
            Counted { time: from.elapsed(), deliveries: self.got - got, messages: self.returned - returned };
        self.window = 0;
        Ok(counted)
    }

    /// Messages at a fixed rate, whatever comes back: how long each takes to each member, counted from the moment at
    /// which it was due.
    pub(crate) fn run_steady(
        &mut self,
        rate: f64,
        warm_up: Duration,
        time: Duration,
        mut begin: impl FnMut(),
    ) -> anyhow::Result<(Counted, Histogram<u64>)> {
        self.window = 0;
        let pause = Duration::from_secs_f64(1.0 / rate.max(1.0));
        let start = Instant::now();
        let (measured_from, end) = (start + warm_up, start + warm_up + time);
        let mut next = start;
        let mut turn = 0;
        let mut from = None;
        while Instant::now() < end {
            let now = Instant::now();
            if from.is_none() && now >= measured_from {
                self.latencies = Some(latencies()?);
                begin();
                from = Some((now, self.got, self.returned));
            }
            while next <= now {
                let sender = self.senders.get(turn % self.senders.len().max(1)).copied();
                turn += 1;
                self.send(sender.context("nobody sends")?, next)?;
                next += pause;
            }
            self.turn(next.saturating_duration_since(Instant::now()).min(Duration::from_millis(50)))?;
        }
        let (from, got, returned) = from.context("no time to measure in")?;
        let counted =
            Counted { time: from.elapsed(), deliveries: self.got - got, messages: self.returned - returned };
        Ok((counted, self.latencies.take().context("measured above")?))
    }

    /// Waits for what is under way; says how many deliveries never came.
    pub(crate) fn settle(&mut self) -> anyhow::Result<u64> {
        self.window = 0;
        self.heard = Instant::now();
        while self.got < self.due && self.heard.elapsed() < STALL {
            self.turn(Duration::from_millis(20))?;
        }
        let lost = self.due.saturating_sub(self.got);
        self.due = self.got;
        for member in &mut self.members {
            member.under_way = 0;
        }
        Ok(lost)
    }

    /// Keeps the sockets answering pings.
    pub(crate) fn rest(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(Duration::from_millis(20))?;
        }
        Ok(())
    }

    fn top_up(&mut self) -> anyhow::Result<()> {
        for nth in self.senders.clone() {
            while self.members.get(nth).is_some_and(|member| member.under_way < self.window) {
                self.send(nth, Instant::now())?;
            }
        }
        Ok(())
    }

    fn turn_until(&mut self, end: Instant) -> anyhow::Result<()> {
        self.heard = Instant::now();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left.min(Duration::from_millis(50)))?;
            if self.heard.elapsed() > STALL {
                bail!(
                    "nothing was delivered for {STALL:?}; {} deliveries are missing",
                    self.due.saturating_sub(self.got)
                );
            }
        }
    }

    fn send(&mut self, nth: usize, due: Instant) -> anyhow::Result<()> {
        let Some(member) = self.members.get_mut(nth) else { return Ok(()) };
        let room = self.rooms.get(member.room).map(String::as_str).unwrap_or_default();
        let at = due.duration_since(self.began).as_micros();
        let mut body = format!("{MARK}{nth:08x}{at:016x} ");
        while body.len() < BODY {
            body.push_str("the quick brown fox jumps over the lazy dog ");
        }
        body.truncate(BODY);
        let frame = self.dialect.send(room, &format!("{nth:x}-{:x}", self.sent), &body);
        let idle = member.unsent.is_empty();
        frames::append(&mut member.unsent, frames::TEXT, frame.as_bytes());
        member.under_way += 1;
        self.sent += 1;
        self.due += self.sizes.get(member.room).copied().unwrap_or(0);
        if idle { self.flush(nth) } else { Ok(()) }
    }

    /// Hands to the kernel what it takes, and waits for it to take the rest.
    fn flush(&mut self, nth: usize) -> anyhow::Result<()> {
        let Some(member) = self.members.get_mut(nth) else { return Ok(()) };
        let waited = !member.unsent.is_empty();
        while !member.unsent.is_empty() {
            match member.stream.write(&member.unsent) {
                Ok(taken) => {
                    member.unsent.drain(..taken);
                }
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                Err(why) => return Err(why).context("a peer closed a socket that was written to"),
            }
        }
        if waited {
            let mut flags = epoll::EventFlags::IN;
            if !member.unsent.is_empty() {
                flags |= epoll::EventFlags::OUT;
            }
            let data = epoll::EventData::new_u64(u64::try_from(nth)?);
            // Only those that did not fit have to be told of.
            if !member.unsent.is_empty() || member.unsent.capacity() > 64 << 10 {
                epoll::modify(&self.poll, &member.stream, data, flags)?;
            }
        }
        Ok(())
    }

    /// Reads what has come on all sockets, waiting for it no longer than `wait`.
    fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(1024);
        let wait = Timespec::try_from(wait)?;
        match epoll::wait(&self.poll, spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why).context("epoll"),
        }
        for event in events {
            let nth = usize::try_from(event.data.u64())?;
            let flags = event.flags;
            if flags.contains(epoll::EventFlags::OUT) {
                self.flush(nth)?;
                self.quiet(nth)?;
            }
            if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                self.read(nth)?;
            }
        }
        Ok(())
    }

    /// Stops asking whether a socket can be written to, once all is written.
    fn quiet(&self, nth: usize) -> anyhow::Result<()> {
        if let Some(member) = self.members.get(nth)
            && member.unsent.is_empty()
        {
            let data = epoll::EventData::new_u64(u64::try_from(nth)?);
            epoll::modify(&self.poll, &member.stream, data, epoll::EventFlags::IN)?;
        }
        Ok(())
    }

    fn read(&mut self, nth: usize) -> anyhow::Result<()> {
        let Some(member) = self.members.get_mut(nth) else { return Ok(()) };
        let read = match member.stream.read(&mut self.scratch) {
            Ok(0) => bail!("a peer closed a socket"),
            Ok(read) => read,
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(why) => return Err(why).context("a peer broke a socket"),
        };
        let now = Instant::now();
        let came = self.scratch.get(..read).unwrap_or_default();
        let mut part = std::mem::take(&mut member.part);
        let rest = if part.is_empty() {
            let mut taken = Taken::default();
            let rest = taken.all(came, self.dialect, &self.finder);
            part.extend_from_slice(rest);
            self.took(nth, &taken, now)?;
            None
        } else {
            part.extend_from_slice(came);
            let mut taken = Taken::default();
            let left = taken.all(&part, self.dialect, &self.finder).len();
            self.took(nth, &taken, now)?;
            Some(part.len() - left)
        };
        if let Some(done) = rest {
            part.drain(..done);
        }
        if let Some(member) = self.members.get_mut(nth) {
            member.part = part;
        }
        Ok(())
    }

    /// Counts what one reading brought, and answers it.
    fn took(&mut self, nth: usize, taken: &Taken, now: Instant) -> anyhow::Result<()> {
        if taken.closed {
            bail!("a peer closed a socket: {}", taken.reason);
        }
        if !taken.messages.is_empty() {
            self.heard = now;
        }
        self.got += u64::try_from(taken.messages.len())?;
        let mine = u64::try_from(nth)?;
        let mut came_back = 0;
        for (sender, at) in &taken.messages {
            if let Some(latencies) = &mut self.latencies {
                let taken = now.duration_since(self.began).as_micros();
                latencies.saturating_record(u64::try_from(taken)?.saturating_sub(*at).max(1));
            }
            if *sender == mine {
                came_back += 1;
            }
        }
        let Some(member) = self.members.get_mut(nth) else { return Ok(()) };
        if came_back > 0 {
            self.returned += came_back;
            member.under_way = member.under_way.saturating_sub(usize::try_from(came_back)?);
        }
        let answers = !taken.replies.is_empty();
        if answers {
            member.unsent.extend_from_slice(&taken.replies);
        }
        let mut wanted = if came_back > 0 { self.window.saturating_sub(member.under_way) } else { 0 };
        if answers && wanted == 0 {
            return self.flush(nth);
        }
        while wanted > 0 {
            wanted -= 1;
            self.send(nth, now)?;
        }
        Ok(())
    }
}

/// What one reading held.
#[derive(Default)]
struct Taken {
    /// Sender and time due of each message.
    messages: Vec<(u64, u64)>,
    replies: Vec<u8>,
    closed: bool,
    reason: String,
}

impl Taken {
    /// Takes all whole frames; gives back the rest.
    fn all<'a>(&mut self, mut bytes: &'a [u8], dialect: Dialect, finder: &Finder<'_>) -> &'a [u8] {
        while let Some((opcode, payload, length)) = frames::first(bytes) {
            match opcode {
                frames::TEXT => match finder.find(payload) {
                    Some(at) => self.messages.extend(stamp(payload, at)),
                    None => {
                        if let Some(reply) = dialect.reply(payload) {
                            frames::append(&mut self.replies, frames::TEXT, reply);
                        }
                    }
                },
                frames::PING => frames::append(&mut self.replies, frames::PONG, payload),
                frames::CLOSE => {
                    self.closed = true;
                    self.reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                }
                _ => {}
            }
            bytes = bytes.get(length..).unwrap_or_default();
        }
        bytes
    }
}

/// Sender and time due behind the mark.
fn stamp(payload: &[u8], at: usize) -> Option<(u64, u64)> {
    let start = at + MARK.len();
    let hex = |from: usize, to: usize| {
        u64::from_str_radix(std::str::from_utf8(payload.get(from..to)?).ok()?, 16).ok()
    };
    Some((hex(start, start + 8)?, hex(start + 8, start + 24)?))
}

/// A socket on its way into a room; blocking, because nothing is measured yet.
struct Opening {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Opening {
    fn start(dialect: Dialect, address: SocketAddr, seat: &Seat) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).context("connecting to a peer")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(dialect.handshake(address, &seat.room, &seat.token).as_bytes())?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    fn come_in(mut self, dialect: Dialect, room: &str) -> anyhow::Result<(TcpStream, Vec<u8>)> {
        let head = loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.fill("the answer to a handshake")?;
        };
        let answer = String::from_utf8_lossy(self.buffer.get(..head).unwrap_or_default()).into_owned();
        if !answer.starts_with("HTTP/1.1 101") {
            bail!("a handshake was refused: {answer}");
        }
        self.buffer.drain(..head);
        for step in dialect.come_in(room) {
            match step {
                Step::Say(text) => {
                    let mut frame = Vec::new();
                    frames::append(&mut frame, frames::TEXT, text.as_bytes());
                    self.stream.write_all(&frame)?;
                }
                Step::Expect(wanted) => self.expect(&wanted)?,
            }
        }
        Ok((self.stream, self.buffer))
    }

    fn expect(&mut self, wanted: &str) -> anyhow::Result<()> {
        loop {
            while let Some((opcode, payload, length)) = frames::first(&self.buffer) {
                let text = String::from_utf8_lossy(payload).into_owned();
                self.buffer.drain(..length);
                if opcode == frames::CLOSE {
                    bail!("closed while {wanted} was waited for: {text}");
                }
                if opcode == frames::TEXT && text.contains(wanted) {
                    return Ok(());
                }
                if text.contains(r#""t":"err""#) {
                    bail!("refused while {wanted} was waited for: {text}");
                }
            }
            self.fill(wanted)?;
        }
    }

    fn fill(&mut self, what: &str) -> anyhow::Result<()> {
        let mut bytes = [0; 4096];
        let read = self.stream.read(&mut bytes).with_context(|| format!("waiting for {what}"))?;
        if read == 0 {
            bail!("the connection ended while {what} was waited for");
        }
        self.buffer.extend_from_slice(bytes.get(..read).unwrap_or_default());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_mark_whatever_stands_around_it() {
        let finder = Finder::new(MARK);
        let mut bytes = Vec::new();
        for text in [r#"42["msg",{"body":"~~0000002a00000000000003e8 the"}]"#, "2", "no message"] {
            // As a server sends it, without a mask.
            bytes.push(0x81);
            bytes.push(u8::try_from(text.len()).unwrap());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.push(0x81);

        let mut taken = Taken::default();
        let rest = taken.all(&bytes, Dialect::SocketIo, &finder);

        assert_eq!(taken.messages, [(42, 1000)]);
        assert_eq!(taken.replies, [0x81, 0x81, 0, 0, 0, 0, b'3']);
        assert_eq!(rest, [0x81]);
    }
}
