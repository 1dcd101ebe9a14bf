//! Work that goes on after its request was answered, so that its time tells nobody anything.

use std::{future::Future, sync::Arc};

use irongate_shared::problem::Problem;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// More at once is a flood.
const MOST: usize = 64;

/// Runs such work; bounded, and waited for at shutdown.
pub(crate) struct Afterwards {
    tasks: TaskTracker,
    turns: Arc<Semaphore>,
}

impl Afterwards {
    pub(crate) fn new(tasks: TaskTracker) -> Self {
        Self { tasks, turns: Arc::new(Semaphore::new(MOST)) }
    }

    /// Starts `work`.
    ///
    /// # Errors
    /// 503 when too much of it runs already.
    pub(crate) fn run(&self, work: impl Future<Output = ()> + Send + 'static) -> Result<(), Problem> {
        let turn = Arc::clone(&self.turns).try_acquire_owned().map_err(Problem::unavailable)?;
        self.tasks.spawn(async move {
            work.await;
            drop(turn);
        });
        Ok(())
    }
}
