//! Lends connections, and threads to block on them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::r2d2::{self, ManageConnection, Pool, R2D2Connection};
use tokio::sync::Semaphore;

use super::{Db, DbError, migrate::migrate};
use crate::config::DatabaseUrl;

/// How long a request waits for a connection before it is told to come back.
pub(crate) const CHECKOUT_WAIT: Duration = Duration::from_secs(2);

/// How long a request waits for its queries. Above what a statement may take (5 s), which the server watches itself:
/// this is for a server that stands still and watches nothing.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// How long a connection that nobody needs is kept (and until the pool looks, twice a minute): where there are too few
/// for all services, one service's idle ones must not keep another out.
const IDLE: Duration = Duration::from_secs(10);

/// How long after its last answer a connection is lent without a question whether it still lives: asking is a round
/// trip, half of what a small request costs. A database that goes away fails what is under way in any case.
const FRESH: Duration = Duration::from_millis(250);

/// A database, shared by all tasks of a process. Cheap to clone.
///
/// SQLite has one writer at a time: its writes queue here, in order, for the one writing connection, rather than
/// on file locks. PostgreSQL reads and writes share the pool.
#[derive(Clone)]
pub struct Database {
    read: Lane,
    write: Lane,
}

#[derive(Clone)]
struct Lane {
    pool: Pool<Manager>,
    /// As many blocking threads as connections: the rest waits without a thread.
    turn: Arc<Semaphore>,
}

impl Database {
    /// Connects, and brings the schema up to date.
    ///
    /// # Errors
    /// The database is away or a migration fails.
    pub async fn open(url: &DatabaseUrl, connections: u32) -> Result<Self, DbError> {
        if let DatabaseUrl::Sqlite(path) = url
            && let Some(folder) = path.parent()
        {
            std::fs::create_dir_all(folder)
                .map_err(|why| DbError::Unavailable(format!("{}: {why}", folder.display())))?;
        }
        let read = Lane::new(url, connections);
        let write = match url {
            DatabaseUrl::Sqlite(_) => Lane::new(url, 1),
            DatabaseUrl::Postgres(_) => read.clone(),
        };
        let database = Self { read, write };
        let url = url.clone();
        let ran = blocking(move || {
            let mut db = Db::open(&url).map_err(|why| DbError::Unavailable(why.to_string()))?;
            migrate(&mut db)
        })
        .await?;
        if ran > 0 {
            tracing::info!(migrations = ran, "the database schema is up to date");
        }
        Ok(database)
    }

    /// Runs queries that only read.
    ///
    /// # Errors
    /// Those of `run`; [`DbError::Busy`] when no connection is free or no answer comes in time.
    pub async fn read<T, E, F>(&self, run: F) -> Result<T, E>
    where
        F: FnOnce(&mut Db) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.read.run(run).await
    }

    /// Runs one write transaction: all of `run`, or, when it fails, none of it. Once begun it goes on to its end
    /// even when the caller stops waiting.
    ///
    /// # Errors
    /// Those of `run`; [`DbError::Busy`] when no connection is free or no answer comes in time. Without an answer it is
    /// not known whether the transaction is stored.
    pub async fn write<T, E, F>(&self, run: F) -> Result<T, E>
    where
        F: FnOnce(&mut Db) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.write.run(move |db| db.write(run)).await
    }

    /// Whether the database answers, for `/health`.
    ///
    /// # Errors
    /// Why it does not, in words for an operator.
    pub async fn ping(&self) -> Result<(), String> {
        let answer: Result<(), DbError> = self.read(|db| db.ping().map_err(DbError::from)).await;
        answer.map_err(|why| why.to_string())
    }
}

impl Lane {
    fn new(url: &DatabaseUrl, connections: u32) -> Self {
        let pool = Pool::builder()
            .max_size(connections)
            .min_idle(Some(0))
            .idle_timeout(Some(IDLE))
            .connection_timeout(CHECKOUT_WAIT)
            .error_handler(Box::new(Quiet))
            .build_unchecked(Manager(url.clone()));
        Self { pool, turn: Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(1))) }
    }

    async fn run<T, E, F>(&self, run: F) -> Result<T, E>
    where
        F: FnOnce(&mut Db) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let turn = tokio::time::timeout(CHECKOUT_WAIT, Arc::clone(&self.turn).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(DbError::Busy("all connections are in use".to_owned()).into());
        };
        let pool = self.pool.clone();
        // The turn stays with the thread, however long that is held: who comes later is told at once that all are busy.
        let answer = blocking(move || {
            let _turn = turn;
            let mut lent = pool.get().map_err(|why| DbError::Unavailable(why.to_string()))?;
            let result = run(&mut lent.db);
            // A failure may be the connection's: the next one asks first.
            lent.answered = result.is_ok().then(Instant::now);
            result
        });
        match tokio::time::timeout(ANSWER_WAIT, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(DbError::Busy(format!("no answer within {ANSWER_WAIT:?}")).into()),
        }
    }
}

/// A panic in a query is a bug of ours and takes its request with it, not the process.
async fn blocking<T, E, F>(run: F) -> Result<T, E>
where
    F: FnOnce() -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    match tokio::task::spawn_blocking(run).await {
        Ok(result) => result,
        Err(stopped) => Err(DbError::Unavailable(format!("the query did not finish: {stopped}")).into()),
    }
}

/// Diesel's own manager would call `Db::establish`, see [`Db::open`].
#[derive(Debug)]
struct Manager(DatabaseUrl);

/// A connection of the pool.
struct Lent {
    db: Db,
    /// When it was last seen to work, unless something failed since.
    answered: Option<Instant>,
}

impl ManageConnection for Manager {
    type Connection = Lent;
    type Error = r2d2::Error;

    fn connect(&self) -> Result<Lent, r2d2::Error> {
        let db = Db::open(&self.0).map_err(r2d2::Error::ConnectionError)?;
        Ok(Lent { db, answered: Some(Instant::now()) })
    }

    fn is_valid(&self, lent: &mut Lent) -> Result<(), r2d2::Error> {
        if lent.answered.is_some_and(|answered| answered.elapsed() < FRESH) {
            return Ok(());
        }
        lent.db.ping().map_err(r2d2::Error::QueryError)
    }

    fn has_broken(&self, lent: &mut Lent) -> bool {
        std::thread::panicking() || lent.db.is_broken()
    }
}

/// r2d2 retries connecting in the background and reports every failure; an outage is one story, told at debug level
/// here and by `/health` to everybody.
#[derive(Debug)]
struct Quiet;

impl<E: std::fmt::Display> diesel::r2d2::HandleError<E> for Quiet {
    fn handle_error(&self, why: E) {
        tracing::debug!(reason = %why, "the database refused a connection");
    }
}
