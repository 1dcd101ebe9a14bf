//! The write lanes.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use irongate_shared::{
    clock::Clock,
    config::DatabaseUrl,
    db::{Db, DbError},
    id::UserId,
};
use tokio::sync::{mpsc, oneshot};

use super::batch::{self, Batch, Notice};
use crate::{
    metrics::Metrics,
    room::{Command, Event, Outcome, Refused, RoomId, Seq},
    store,
};

/// Jobs that may wait for one lane; more are refused as overload rather than answered late.
const QUEUE: usize = 4096;

/// Jobs of one transaction. Only under load are there so many; a transaction's own cost is then shared by all.
const BATCH: usize = 512;

/// How long a lane tries to reach a database that is away before it refuses what waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long whoever asked waits for a lane. A database that stands still holds the lane's thread until it goes on;
/// what waits is stored then, and sending the same `cid` again finds it.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// A command on its way to its room's lane.
pub(super) struct Job {
    pub room: RoomId,
    pub by: UserId,
    pub command: Command,
    pub asked: Instant,
    pub reply: oneshot::Sender<Result<Outcome, Refused>>,
}

/// What the lanes tell the hub.
#[derive(Debug)]
pub(crate) enum News {
    /// Committed, in order per room.
    Committed(Vec<Event>),
    /// The log of the room reaches to here at least; somebody else may have told of it, or nobody.
    Reached(RoomId, Seq),
    /// The room was deleted.
    Gone(RoomId),
    /// For one user's sockets, wherever they are.
    Notices(Vec<Notice>),
}

/// Takes commands to the lanes. Cheap to clone; the lanes end with the last clone.
#[derive(Clone)]
pub(crate) struct Log {
    lanes: Arc<[mpsc::Sender<Job>]>,
}

impl Log {
    /// Starts the lanes.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(crate) fn start(
        url: &DatabaseUrl,
        lanes: usize,
        clock: &Clock,
        metrics: &Metrics,
        news: &mpsc::Sender<News>,
    ) -> anyhow::Result<(Self, Lanes)> {
        let mut senders = Vec::new();
        let mut threads = Vec::new();
        for number in 0..lanes {
            let (sender, jobs) = mpsc::channel(QUEUE);
            let lane = Lane {
                url: url.clone(),
                connection: None,
                clock: clock.clone(),
                metrics: metrics.clone(),
                news: news.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("lane-{number}"))
                .spawn(move || lane.run(jobs))
                .context("starting a write lane")?;
            senders.push(sender);
            threads.push(thread);
        }
        Ok((Self { lanes: senders.into() }, Lanes(threads)))
    }

    /// Queues a command; commands of one caller to one room are done in the order of these calls.
    ///
    /// # Errors
    /// [`Refused::Overloaded`] at once when the lane's queue is full; then whatever the command's own answer is.
    pub(crate) fn append(
        &self,
        room: RoomId,
        by: UserId,
        command: Command,
    ) -> impl Future<Output = Result<Outcome, Refused>> + use<> {
        let (reply, answer) = oneshot::channel();
        let queued = match self.lane_of(room) {
            Some(lane) => lane
                .try_send(Job { room, by, command, asked: Instant::now(), reply })
                .map_err(|_| Refused::Overloaded),
            None => Err(Refused::Overloaded),
        };
        async move {
            queued?;
            match tokio::time::timeout(ANSWER_WAIT, answer).await {
                Ok(Ok(answer)) => answer,
                // A lane drops a job unanswered only when the process ends.
                Ok(Err(_)) => Err(Refused::Unavailable("the service is stopping".to_owned())),
                Err(_) => Err(Refused::Unavailable(format!("no answer within {ANSWER_WAIT:?}"))),
            }
        }
    }

    fn lane_of(&self, room: RoomId) -> Option<&mpsc::Sender<Job>> {
        let mut hasher = DefaultHasher::new();
        room.hash(&mut hasher);
        let count = u64::try_from(self.lanes.len()).ok()?;
        let lane = hasher.finish().checked_rem(count)?;
        self.lanes.get(usize::try_from(lane).ok()?)
    }
}

/// The lanes' threads.
pub(crate) struct Lanes(Vec<JoinHandle<()>>);

impl Lanes {
    /// Waits until every queued command is done; the last [`Log`] must be gone.
    pub(crate) fn join(self) {
        for thread in self.0 {
            if thread.join().is_err() {
                tracing::error!("a write lane panicked");
            }
        }
    }
}

struct Lane {
    url: DatabaseUrl,
    connection: Option<Db>,
    clock: Clock,
    metrics: Metrics,
    news: mpsc::Sender<News>,
}

impl Lane {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            self.commit(batch);
        }
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        let began = Instant::now();
        let done = self.attempt_patiently(&jobs, began);
        match done {
            Ok(done) => {
                self.metrics.commit_seconds.observe(began.elapsed().as_secs_f64());
                self.metrics.batch_size.observe(f64::from(u32::try_from(jobs.len()).unwrap_or(u32::MAX)));
                self.tell(jobs, done);
            }
            // One job that the database refuses must not take its neighbours with it.
            Err(DbError::Query(_)) if jobs.len() > 1 => {
                for job in jobs {
                    self.commit(vec![job]);
                }
            }
            Err(why) => {
                let refused = Refused::from(why);
                tracing::error!(jobs = jobs.len(), reason = ?refused, "a batch could not be stored");
                for job in jobs {
                    let _ = job.reply.send(Err(refused.clone()));
                }
            }
        }
    }

    fn attempt_patiently(&mut self, jobs: &[Job], began: Instant) -> Result<batch::Done, DbError> {
        let mut pause = Duration::from_millis(10);
        loop {
            match self.attempt(jobs) {
                Err(why @ (DbError::Unavailable(_) | DbError::Busy(_))) => {
                    // Whether it was committed is unknown; running it again is safe (see the module's doc).
                    self.connection = None;
                    if began.elapsed() >= PATIENCE {
                        return Err(why);
                    }
                    tracing::warn!(reason = %why, "a batch is tried again");
                    rest(pause);
                    pause = (pause * 2).min(Duration::from_millis(250));
                }
                finished => return finished,
            }
        }
    }

    fn attempt(&mut self, jobs: &[Job]) -> Result<batch::Done, DbError> {
        let db = match &mut self.connection {
            Some(db) => db,
            none => {
                let opened = store::open_for_writing(&self.url)
                    .map_err(|why| DbError::Unavailable(why.to_string()))?;
                none.insert(opened)
            }
        };
        let now = self.clock.now();
        db.write(|db| Batch::run(db, now, jobs)).map_err(DbError::from)
    }

    /// Others first: they wait without knowing; the sender's answer follows at once.
    fn tell(&self, jobs: Vec<Job>, mut done: batch::Done) {
        let committed = Instant::now();
        for since in done.events.iter_mut().filter_map(|event| event.since.as_mut()) {
            since.committed = committed;
        }
        let mut news = Vec::new();
        if !done.events.is_empty() {
            news.push(News::Committed(done.events));
        }
        news.extend(done.reached.into_iter().map(|(room, seq)| News::Reached(room, seq)));
        news.extend(done.gone.into_iter().map(News::Gone));
        if !done.notices.is_empty() {
            news.push(News::Notices(done.notices));
        }
        for item in news {
            // The hub ends after the lanes; without it nobody listens anyway.
            let _ = self.news.blocking_send(item);
        }
        for (job, answer) in jobs.into_iter().zip(done.answers) {
            // Whoever asked may have gone; what it asked for is done all the same.
            let _ = job.reply.send(answer);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a lane is a thread of its own; nothing else runs on it")]
fn rest(pause: Duration) {
    std::thread::sleep(pause);
}
