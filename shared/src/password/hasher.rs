//! The bounded pool for bcrypt.
//!
//! A hash takes a core for a tenth of a second. On tokio's blocking threads a flood of logins would start hundreds at
//! once and everything else would wait; here as many run as there are threads, a bounded number waits, and the rest
//! is told to come back.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use prometheus::{Histogram, HistogramOpts, IntCounter, Registry};
use tokio::sync::oneshot;

use super::Password;
use crate::problem::{Problem, kind};

type Job = Box<dyn FnOnce() + Send>;

/// Threads that hash passwords. Dropping it lets the jobs that run come to their end.
pub struct Hasher {
    /// `None` only while dropping.
    queue: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
    cost: u32,
    /// What the password of an unknown user is compared with, for the same time.
    decoy: Arc<str>,
    metrics: Metrics,
}

#[derive(Clone)]
struct Metrics {
    took: Histogram,
    refused: IntCounter,
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all password hashing threads are busy and the queue is full")]
pub struct Overloaded;

impl From<Overloaded> for Problem {
    /// Not 503: a gateway takes that for a failing server, and a replica that refuses a flood would be left out.
    fn from(_: Overloaded) -> Self {
        Self::new(kind::TOO_MANY_REQUESTS)
            .detail("Too many people are signing in right now. Please try again in a moment.")
            .retry_after(Duration::from_secs(2))
    }
}

/// What comparing a password came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right {
        /// The same password at the configured cost, when the stored hash had a lower one.
        upgraded: Option<String>,
    },
}

impl Hasher {
    /// Starts `threads` threads that make hashes of `cost` (2^cost rounds); `waiting` more jobs may wait for them.
    ///
    /// # Errors
    /// The cost is none of bcrypt's (4 to 31), or no thread can be started.
    pub fn start(cost: u32, threads: usize, waiting: usize, registry: &Registry) -> anyhow::Result<Self> {
        let decoy = bcrypt::hash("the password of nobody", cost)?.into();
        let (queue, jobs) = sync_channel::<Job>(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        let threads = (0..threads.max(1))
            .map(|number| {
                let jobs = Arc::clone(&jobs);
                std::thread::Builder::new().name(format!("bcrypt-{number}")).spawn(move || work(&jobs))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { queue: Some(queue), threads, cost, decoy, metrics: Metrics::register(registry)? })
    }

    /// # Errors
    /// [`Overloaded`].
    pub async fn hash(&self, password: Password) -> Result<String, Overloaded> {
        let cost = self.cost;
        self.run(move || bcrypt::non_truncating_hash(password.as_str(), cost)).await?.map_err(|_| Overloaded)
    }

    /// Compares a password as it was sent with a stored hash. Without one (there is no such user, or they have no
    /// password) it takes as long and is wrong.
    ///
    /// # Errors
    /// [`Overloaded`].
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<Verdict, Overloaded> {
        let (cost, decoy) = (self.cost, Arc::clone(&self.decoy));
        self.run(move || {
            // SECURITY: user enumeration by time: every attempt costs one comparison. A password too long to be
            // anybody's is compared in part, with the decoy.
            let possible = password.len() <= Password::MAX_BYTES;
            let stored = stored.filter(|_| possible);
            let against = stored.as_deref().unwrap_or(&decoy);
            let equal = bcrypt::verify(&password, against).unwrap_or(false);
            if !equal || stored.is_none() {
                return Verdict::Wrong;
            }
            let upgraded =
                (cost_of(against) < cost).then(|| bcrypt::non_truncating_hash(&password, cost).ok());
            Verdict::Right { upgraded: upgraded.flatten() }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let (answer, answered) = oneshot::channel();
        let took = self.metrics.took.clone();
        let job = Box::new(move || {
            // Who asked has gone away meanwhile: nobody waits for the answer.
            if answer.is_closed() {
                return;
            }
            let began = Instant::now();
            let done = job();
            took.observe(began.elapsed().as_secs_f64());
            let _ = answer.send(done);
        });
        let sent = self.queue.as_ref().map(|queue| queue.try_send(job));
        if let None | Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) = sent {
            self.metrics.refused.inc();
            return Err(Overloaded);
        }
        answered.await.map_err(|_| Overloaded)
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Metrics {
    fn register(registry: &Registry) -> prometheus::Result<Self> {
        let took = Histogram::with_opts(
            HistogramOpts::new("password_hash_seconds", "Time that a password took once its turn came")
                .buckets(vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6]),
        )?;
        let refused =
            IntCounter::new("password_hash_refused_total", "Attempts refused because the queue was full")?;
        registry.register(Box::new(took.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        Ok(Self { took, refused })
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // Behind everything that answers at once: a flood of logins is what must wait.
    let _ = rustix::process::nice(10);
    // The lock is held while waiting: the threads take turns at the queue. `Err` means that the hasher is dropped.
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job();
    }
}

/// The cost that a hash names: `$2b$12$…`.
fn cost_of(hash: &str) -> u32 {
    hash.split('$').nth(2).and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(cost: u32, waiting: usize) -> Hasher {
        Hasher::start(cost, 1, waiting, &Registry::new()).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::parse(text, &[]).unwrap()
    }

    #[tokio::test]
    async fn a_password_fits_its_own_hash_alone() {
        let hasher = hasher(4, 4);
        let stored = hasher.hash(password("correct horse")).await.unwrap();

        let verdict = async |text: &str| hasher.verify(text.to_owned(), Some(stored.clone())).await.unwrap();

        assert_eq!(verdict("correct horse").await, Verdict::Right { upgraded: None });
        assert_eq!(verdict("correct horsf").await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_longer_password_does_not_pass_by_its_first_72_bytes() {
        let hasher = hasher(4, 4);
        let longest = "xy".repeat(35) + "z";
        let stored = hasher.hash(password(&longest)).await.unwrap();

        let longer = hasher.verify(longest.clone() + "0", Some(stored.clone())).await.unwrap();
        let same = hasher.verify(longest, Some(stored)).await.unwrap();

        assert_eq!((longer, same), (Verdict::Wrong, Verdict::Right { upgraded: None }));
    }

    #[tokio::test]
    async fn the_decoy_is_nobodys_password() {
        let verdict = hasher(4, 4).verify("the password of nobody".to_owned(), None).await.unwrap();

        assert_eq!(verdict, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_cheap_hash_is_made_anew_at_the_configured_cost() {
        let stored = hasher(4, 4).hash(password("correct horse")).await.unwrap();
        let hasher = hasher(5, 4);

        let verdict = hasher.verify("correct horse".to_owned(), Some(stored)).await.unwrap();

        let Verdict::Right { upgraded: Some(upgraded) } = verdict else { panic!("{verdict:?}") };
        assert!(upgraded.starts_with("$2b$05$"), "{upgraded}");
        let again = hasher.verify("correct horse".to_owned(), Some(upgraded)).await.unwrap();
        assert_eq!(again, Verdict::Right { upgraded: None });
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused_at_once() {
        let hasher = hasher(8, 1);

        let attempts = (0..20).map(|_| hasher.verify("anything at all".to_owned(), None));
        let answers = futures_util::future::join_all(attempts).await;

        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        assert!((17..20).contains(&refused), "one runs, one waits: {refused} of 20 refused");
    }
}
