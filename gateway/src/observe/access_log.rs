//! One line per request on standard output, written by a thread of its own: a slow terminal never holds a
//! request. When lines come faster than they can be written, the surplus is counted and dropped.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde_json::json;

use crate::{
    config,
    exchange::{Connection, Exchange},
    fault::Fault,
};

/// Lines that may wait to be written.
const WAITING: usize = 8192;

enum Line {
    Text(String),
    /// Everything before this is to be written; the answer says that it is.
    Flush(SyncSender<()>),
}

pub(crate) struct AccessLog {
    format: AtomicU8,
    with_health: AtomicBool,
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// Starts the writer; it ends with the last sender.
    pub(crate) fn start(settings: &config::Log) -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = dropped.clone();
        std::thread::Builder::new().name("access-log".into()).spawn(move || write_all(&waiting, &counter))?;
        let log = Self { format: AtomicU8::default(), with_health: AtomicBool::default(), lines, dropped };
        log.configure(settings);
        Ok(log)
    }

    pub(crate) fn configure(&self, settings: &config::Log) {
        self.format.store(settings.access as u8, Relaxed);
        self.with_health.store(settings.health, Relaxed);
    }

    pub(super) fn write(&self, exchange: &Exchange<'_>, took: Duration) {
        let is_quiet = crate::admin::health::is_for(&exchange.request.path) && exchange.record.status < 400;
        if is_quiet && !self.with_health.load(Relaxed) {
            return;
        }
        let format = self.format.load(Relaxed);
        let line = if format == config::AccessLog::Json as u8 {
            json_line(exchange, took)
        } else if format == config::AccessLog::Combined as u8 {
            combined_line(exchange)
        } else {
            return;
        };
        self.send(line);
    }

    /// A request whose head could not be read.
    pub(super) fn write_refusal(&self, connection: &Connection, id: &str, fault: &Fault) {
        let (client, status) = (connection.peer.ip().to_canonical(), fault.status().as_u16());
        let format = self.format.load(Relaxed);
        if format == config::AccessLog::Json as u8 {
            let line = json!({
                "at": super::clock::iso(Timestamp::now()),
                "client": client.to_string(),
                "status": status,
                "request_id": id,
                "fault": fault.name(),
                "cause": fault.cause(),
            });
            self.send(line.to_string());
        } else if format == config::AccessLog::Combined as u8 {
            let time = Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000");
            self.send(format!("{client} - - [{time}] \"-\" {status} 0 \"-\" \"-\""));
        }
    }

    fn send(&self, line: String) {
        if self.lines.try_send(Line::Text(line)).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Blocks until what was written so far is out, but not for ever.
    pub(super) fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.lines.send(Line::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(Duration::from_secs(1));
        }
    }
}

fn write_all(lines: &Receiver<Line>, dropped: &AtomicU64) {
    // Nobody may be reading; then there is nothing to be done about it here, and errors are let go.
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout());
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        while let Some(line) = next {
            match line {
                Line::Text(text) => {
                    let _ = writeln!(out, "{text}");
                }
                Line::Flush(done) => {
                    let _ = out.flush();
                    let _ = done.send(());
                }
            }
            next = lines.try_recv().ok();
        }
        let lost = dropped.swap(0, Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "{}", json!({"msg": "access log lines dropped", "count": lost}));
        }
        let _ = out.flush();
    }
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// SECURITY: queries, cookies, `Authorization` and `Sec-WebSocket-Protocol` carry secrets and are not logged.
fn json_line(exchange: &Exchange<'_>, took: Duration) -> String {
    let (request, record) = (&exchange.request, &exchange.record);
    let mut line = json!({
        "at": super::clock::iso(Timestamp::now()),
        "client": request.client.address.to_string(),
        "method": request.head.method.as_str(),
        "host": request.head.authority,
        "path": request.raw_path(),
        "protocol": request.head.version.name(),
        "status": record.status,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
        "took_ms": ms(took),
        "request_id": request.id,
    });
    let Some(object) = line.as_object_mut() else { return String::new() };
    let mut add = |name: &str, value: serde_json::Value| {
        object.insert(name.to_owned(), value);
    };
    if let Some(tls) = &request.connection.tls {
        add("tls", tls.version.into());
        add("tls_resumed", tls.resumed.into());
        if let Some(subject) = &tls.client_subject {
            add("client_certificate", subject.as_str().into());
        }
    }
    if let Some(route) = &record.route {
        add("route", (**route).into());
    }
    if let Some(upstream) = &record.upstream {
        add("upstream", (**upstream).into());
    }
    if let Some(server) = &record.server {
        add("server", (**server).into());
        add("attempts", record.attempts.into());
    }
    if let Some(connect) = record.connect {
        add("connect_ms", ms(connect).into());
    }
    if let Some(waited) = record.waited {
        add("waited_ms", ms(waited).into());
    }
    if let Some(subject) = &request.subject {
        add("user", subject.id.as_str().into());
    }
    if let Some(fault) = &record.fault {
        add("fault", fault.name().into());
        add("cause", fault.cause().into());
    }
    if let Some(agent) = request.head.fields.text("user-agent") {
        add("user_agent", agent.into());
    }
    line.to_string()
}

fn combined_line(exchange: &Exchange<'_>) -> String {
    let (request, record) = (&exchange.request, &exchange.record);
    let field = |name: &str| {
        let text = request.head.fields.text(name).unwrap_or("-");
        text.replace('\\', "\\\\").replace('"', "\\\"")
    };
    format!(
        "{} - {} [{}] \"{} {} {}\" {} {} \"{}\" \"{}\"",
        request.client.address,
        request.subject.as_ref().map_or("-", |subject| subject.id.as_str()),
        Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000"),
        request.head.method,
        request.raw_path(),
        request.head.version.name(),
        record.status,
        record.bytes_out,
        field("referer"),
        field("user-agent"),
    )
}
