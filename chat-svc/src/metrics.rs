//! What chat-svc counts, beside what every service counts of its requests.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// All of chat-svc's own metrics. Clones count together.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// Open WebSockets.
    pub connections: IntGauge,
    /// By result: `ok`, or why refused.
    pub handshakes: IntCounterVec,
    /// By close code.
    pub closes: IntCounterVec,
    /// By direction and type.
    pub frames: IntCounterVec,
    /// By result: `live`, `replay`, `reset`.
    pub resumes: IntCounterVec,
    /// By cause: `gap`, `tail`.
    pub backfills: IntCounterVec,
    pub dropped_passing: IntCounter,
    pub rate_limited: IntCounter,
    pub commit_seconds: Histogram,
    pub batch_size: Histogram,
    /// From the commit of an event to the queues of its room's followers on one worker; of events written here.
    pub deliver_seconds: Histogram,
    /// From the command to there.
    pub e2e_seconds: Histogram,
    /// 1 while the broker's subscriber hears itself.
    pub broker_up: IntGauge,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            connections: IntGauge::new("chat_ws_connections", "Open WebSockets")?,
            handshakes: counters("chat_ws_handshakes_total", "WebSocket handshakes", "result")?,
            closes: counters("chat_ws_closes_total", "WebSockets closed", "code")?,
            frames: IntCounterVec::new(
                Opts::new("chat_ws_frames_total", "WebSocket text frames"),
                &["direction", "type"],
            )?,
            resumes: counters("chat_resumes_total", "Joins, by how they caught up", "result")?,
            backfills: counters("chat_backfills_total", "Events read because they were not heard", "cause")?,
            dropped_passing: IntCounter::new(
                "chat_dropped_passing_total",
                "Typing, presence and read frames not sent to slow readers",
            )?,
            rate_limited: IntCounter::new("chat_rate_limited_total", "Frames refused as too many")?,
            commit_seconds: seconds("chat_commit_seconds", "Time of a batch, from taken to committed")?,
            deliver_seconds: seconds(
                "chat_deliver_seconds",
                "From the commit of an event to its followers' queues, where it was written",
            )?,
            e2e_seconds: seconds(
                "chat_e2e_seconds",
                "From a command to the queues of those who follow, where it was written",
            )?,
            batch_size: Histogram::with_opts(
                HistogramOpts::new("chat_commit_batch_size", "Commands in one transaction")
                    .buckets(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
            )?,
            broker_up: IntGauge::new("chat_broker_up", "Whether the broker carries events")?,
        };
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.handshakes.clone()))?;
        registry.register(Box::new(metrics.closes.clone()))?;
        registry.register(Box::new(metrics.frames.clone()))?;
        registry.register(Box::new(metrics.resumes.clone()))?;
        registry.register(Box::new(metrics.backfills.clone()))?;
        registry.register(Box::new(metrics.dropped_passing.clone()))?;
        registry.register(Box::new(metrics.rate_limited.clone()))?;
        registry.register(Box::new(metrics.commit_seconds.clone()))?;
        registry.register(Box::new(metrics.batch_size.clone()))?;
        registry.register(Box::new(metrics.deliver_seconds.clone()))?;
        registry.register(Box::new(metrics.e2e_seconds.clone()))?;
        registry.register(Box::new(metrics.broker_up.clone()))?;
        Ok(metrics)
    }
}

fn seconds(name: &str, help: &str) -> prometheus::Result<Histogram> {
    let bounds = vec![0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(bounds))
}

fn counters(name: &str, help: &str, label: &str) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), &[label])
}
