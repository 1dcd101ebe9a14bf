//! One line per request on standard output, written by a thread of its own: a slow terminal never holds a
//! request. When lines come faster than they can be written, the surplus is counted and dropped.
//!
//! A request formats its line into a buffer of its thread and appends it to the one that waits; the writer takes
//! that whole, some times a second. So a line costs no allocation, and waking the writer is paid by many.

use std::{
    cell::RefCell,
    io::Write,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use super::clock;
use crate::{
    config,
    exchange::{Connection, Exchange},
    fault::Fault,
    wire::text::{push_json, push_number},
};

/// Bytes that may wait to be written.
const WAITING: usize = 4 * 1024 * 1024;
/// The writer comes at once when so many wait.
const FULL: usize = 64 * 1024;
/// Else it lets lines gather for so long.
const GATHER: Duration = Duration::from_millis(50);

pub(crate) struct AccessLog {
    format: AtomicU8,
    with_health: AtomicBool,
    desk: Arc<Desk>,
}

/// Where requests leave lines and the writer takes them.
#[derive(Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    /// Tells the writer.
    left: Condvar,
    /// Tells who waits for the writer.
    taken: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
    /// How many batches were taken and written; who flushes waits for it to pass.
    written: u64,
    is_writing: bool,
    hurry: bool,
    ended: bool,
}

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl AccessLog {
    /// Starts the writer; it ends with the log.
    pub(crate) fn start(settings: &config::Log) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let writers = desk.clone();
        std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || writers.write_all(std::io::stdout()))?;
        let log = Self { format: AtomicU8::default(), with_health: AtomicBool::default(), desk };
        log.configure(settings);
        Ok(log)
    }

    pub(crate) fn configure(&self, settings: &config::Log) {
        self.format.store(settings.access as u8, Relaxed);
        self.with_health.store(settings.health, Relaxed);
    }

    pub(super) fn write(&self, exchange: &Exchange<'_>, ended: Instant, took: Duration) {
        let is_quiet = crate::admin::health::is_for(&exchange.request.path) && exchange.record.status < 400;
        if is_quiet && !self.with_health.load(Relaxed) {
            return;
        }
        let format = self.format.load(Relaxed);
        if format == config::AccessLog::Json as u8 {
            self.leave(|line| {
                json_line(line, exchange, ended, took);
                Ok(())
            });
        } else if format == config::AccessLog::Combined as u8 {
            self.leave(|line| combined_line(line, exchange));
        }
    }

    /// A request whose head could not be read.
    pub(super) fn write_refusal(&self, connection: &Connection, id: &str, fault: &Fault) {
        let (client, status) = (connection.peer.ip().to_canonical(), fault.status().as_u16());
        let format = self.format.load(Relaxed);
        if format == config::AccessLog::Json as u8 {
            let text = json!({
                "at": clock::iso_now().as_str(),
                "client": client.to_string(),
                "status": status,
                "request_id": id,
                "fault": fault.name(),
                "cause": fault.cause(),
            });
            self.leave(|line| serde_json::to_writer(line, &text).map_err(Into::into));
        } else if format == config::AccessLog::Combined as u8 {
            self.leave(|line| {
                write!(line, "{client} - - [{}] \"-\" {status} 0 \"-\" \"-\"", clock::combined_now())
            });
        }
    }

    /// Lets `form` write a line, and leaves it on the desk.
    fn leave(&self, form: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            // Writing into memory does not fail, and what cannot be said as JSON is not in a line.
            if form(line).is_ok() {
                line.push(b'\n');
                self.desk.leave(line);
            }
        });
    }

    /// Blocks until what was written so far is out, but not for ever.
    pub(super) fn flush(&self) {
        let mut waiting = self.desk.lock();
        // What is being written just now does not hold what waits behind it.
        let goal = waiting.written + u64::from(waiting.is_writing) + u64::from(!waiting.lines.is_empty());
        waiting.hurry = true;
        self.desk.left.notify_one();
        let _ = self
            .desk
            .taken
            .wait_timeout_while(waiting, Duration::from_secs(1), |waiting| waiting.written < goal);
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.desk.lock().ended = true;
        self.desk.left.notify_one();
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, line: &[u8]) {
        let mut waiting = self.lock();
        let before = waiting.lines.len();
        if before + line.len() > WAITING {
            waiting.dropped += 1;
            return;
        }
        waiting.lines.extend_from_slice(line);
        let after = waiting.lines.len();
        drop(waiting);
        // Telling is a system call: only who leaves the first line and who fills the desk does it.
        if before == 0 || (before < FULL && after >= FULL) {
            self.left.notify_one();
        }
    }

    fn write_all(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            let waiting = self.lock();
            let idle =
                |waiting: &mut Waiting| waiting.lines.is_empty() && waiting.dropped == 0 && !waiting.ended;
            let waiting = self.left.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
            let gathering =
                |waiting: &mut Waiting| waiting.lines.len() < FULL && !waiting.hurry && !waiting.ended;
            let (mut waiting, _) = self
                .left
                .wait_timeout_while(waiting, GATHER, gathering)
                .unwrap_or_else(PoisonError::into_inner);
            if waiting.ended && waiting.lines.is_empty() {
                return;
            }
            std::mem::swap(&mut waiting.lines, &mut batch);
            let lost = std::mem::take(&mut waiting.dropped);
            waiting.hurry = false;
            waiting.is_writing = true;
            drop(waiting);
            // Nobody may be reading; then there is nothing to be done about it here, and errors are let go.
            let _ = out.write_all(&batch);
            if lost > 0 {
                let _ = writeln!(out, "{}", json!({"msg": "access log lines dropped", "count": lost}));
            }
            let _ = out.flush();
            batch.clear();
            batch.shrink_to(2 * FULL);
            let mut waiting = self.lock();
            waiting.written += 1;
            waiting.is_writing = false;
            drop(waiting);
            self.taken.notify_all();
        }
    }
}

/// One JSON object; each field is written with its name as one piece of text.
struct Object<'l>(&'l mut Vec<u8>);

impl Object<'_> {
    /// `name` is all that stands before the value: `,"name":"`.
    fn text(&mut self, name: &'static str, value: &str) {
        self.0.extend_from_slice(name.as_bytes());
        push_json(self.0, value);
        self.0.push(b'"');
    }

    /// What its reader let through has no byte that JSON escapes.
    fn plain(&mut self, name: &'static str, value: &str) {
        debug_assert!(value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\'), "{value}");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'"');
    }

    fn maybe(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn number(&mut self, name: &'static str, value: u64) {
        self.0.extend_from_slice(name.as_bytes());
        push_number(self.0, value);
    }

    /// In milliseconds, to the microsecond.
    fn time(&mut self, name: &'static str, value: Duration) {
        let us = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        self.number(name, us / 1000);
        let rest = us % 1000;
        let digit = |of: u64| b'0' + (rest / of % 10) as u8;
        self.0.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    }
}

/// SECURITY: queries, cookies, `Authorization` and `Sec-WebSocket-Protocol` carry secrets and are not logged.
fn json_line(line: &mut Vec<u8>, exchange: &Exchange<'_>, ended: Instant, took: Duration) {
    let (request, record) = (&exchange.request, &exchange.record);
    let mut object = Object(line);
    clock::with_iso(ended, |at| object.plain("{\"at\":\"", at));
    object.plain(",\"client\":\"", &request.client_text());
    object.plain(",\"method\":\"", request.head.method.as_str());
    object.plain(",\"host\":\"", &request.head.authority);
    object.plain(",\"path\":\"", request.raw_path());
    object.plain(",\"protocol\":\"", request.head.version.name());
    object.number(",\"status\":", record.status.into());
    object.number(",\"bytes_in\":", record.bytes_in);
    object.number(",\"bytes_out\":", record.bytes_out);
    object.time(",\"took_ms\":", took);
    object.plain(",\"request_id\":\"", &request.id);
    if let Some(tls) = &request.connection.tls {
        object.plain(",\"tls\":\"", tls.version);
        let resumed = if tls.resumed { ",\"tls_resumed\":true" } else { ",\"tls_resumed\":false" };
        object.0.extend_from_slice(resumed.as_bytes());
        object.maybe(",\"client_certificate\":\"", tls.client_subject.as_deref());
    }
    object.maybe(",\"route\":\"", record.route.as_deref());
    object.maybe(",\"upstream\":\"", record.upstream.as_deref());
    if let Some(server) = &record.server {
        object.text(",\"server\":\"", server);
        object.number(",\"attempts\":", record.attempts.into());
    }
    if let Some(connect) = record.connect {
        object.time(",\"connect_ms\":", connect);
    }
    if let Some(waited) = record.waited {
        object.time(",\"waited_ms\":", waited);
    }
    object.maybe(",\"user\":\"", request.subject.as_ref().map(|subject| subject.id.as_str()));
    if let Some(fault) = &record.fault {
        object.text(",\"fault\":\"", fault.name());
        object.text(",\"cause\":\"", &fault.cause());
    }
    object.maybe(",\"user_agent\":\"", request.head.fields.text("user-agent"));
    line.push(b'}');
}

fn combined_line(line: &mut Vec<u8>, exchange: &Exchange<'_>) -> std::io::Result<()> {
    let (request, record) = (&exchange.request, &exchange.record);
    write!(
        line,
        "{} - {} [{}] \"{} {} {}\" {} {} \"",
        request.client.address,
        request.subject.as_ref().map_or("-", |subject| subject.id.as_str()),
        clock::combined_now(),
        request.head.method,
        request.raw_path(),
        request.head.version.name(),
        record.status,
        record.bytes_out,
    )?;
    quoted(line, request.head.fields.text("referer"));
    line.extend_from_slice(b"\" \"");
    quoted(line, request.head.fields.text("user-agent"));
    line.push(b'"');
    Ok(())
}

/// SECURITY: log forging. A quote or a backslash in a field is escaped, so that it ends nothing.
fn quoted(line: &mut Vec<u8>, text: Option<&str>) {
    for byte in text.unwrap_or("-").bytes() {
        if matches!(byte, b'"' | b'\\') {
            line.push(b'\\');
        }
        line.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that takes nothing until it is told to.
    #[derive(Clone, Default)]
    struct Terminal(Arc<Screen>);

    #[derive(Default)]
    struct Screen {
        /// What is on it, once it takes something.
        text: Mutex<Option<Vec<u8>>>,
        released: Condvar,
    }

    impl Terminal {
        fn release(&self) {
            self.0.text.lock().unwrap().get_or_insert_default();
            self.0.released.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.text.lock().unwrap().clone().unwrap()).unwrap()
        }
    }

    impl Write for Terminal {
        fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
            let text = self.0.text.lock().unwrap();
            let mut text = self.0.released.wait_while(text, |text| text.is_none()).unwrap();
            text.as_mut().unwrap().extend_from_slice(data);
            Ok(data.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn log_to(terminal: &Terminal) -> (AccessLog, std::thread::JoinHandle<()>) {
        let desk = Arc::new(Desk::default());
        let (writers, terminal) = (desk.clone(), terminal.clone());
        let writer = std::thread::spawn(move || writers.write_all(terminal));
        (AccessLog { format: AtomicU8::default(), with_health: AtomicBool::default(), desk }, writer)
    }

    #[test]
    fn every_line_arrives_once_and_a_flush_waits_for_it() {
        let terminal = Terminal::default();
        terminal.release();
        let (log, writer) = log_to(&terminal);
        for n in 0..1000 {
            log.leave(|line| write!(line, "{n}"));
        }
        log.flush();
        let expected: String = (0..1000).map(|n| format!("{n}\n")).collect();
        assert_eq!(terminal.text(), expected);
        drop(log);
        writer.join().unwrap();
    }

    #[test]
    fn what_a_stalled_terminal_does_not_take_is_counted_and_bounded() {
        let terminal = Terminal::default();
        let (log, writer) = log_to(&terminal);
        let long = "x".repeat(64 * 1024);
        for _ in 0..200 {
            log.leave(|line| line.write_all(long.as_bytes()));
        }
        assert!(log.desk.lock().lines.len() <= WAITING);
        terminal.release();
        drop(log);
        writer.join().unwrap();
        assert!(terminal.text().contains("access log lines dropped"));
    }
}
