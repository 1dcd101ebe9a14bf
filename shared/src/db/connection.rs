//! A connection to either database.

use std::path::Path;

use diesel::{
    Connection, ConnectionError, ConnectionResult, PgConnection, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    result::Error,
};

use crate::config::DatabaseUrl;

/// A connection to SQLite or PostgreSQL; diesel expressions run on it unchanged.
#[derive(diesel::MultiConnection)]
pub enum Db {
    Pg(PgConnection),
    Sqlite(SqliteConnection),
}

/// Runs one diesel expression, compiled once per backend, on the connection inside a `&mut Db`. For what the
/// multi-backend lacks: `on_conflict`, batch inserts, `as_returning`.
#[macro_export]
macro_rules! on_inner {
    ($db:expr, $connection:ident => $run:expr) => {
        match $db {
            $crate::db::Db::Pg($connection) => $run,
            $crate::db::Db::Sqlite($connection) => $run,
        }
    };
}

impl Db {
    /// Connects. Never `Db::establish`: that one tries both backends in turn and hides why each failed.
    ///
    /// # Errors
    /// The database is away, refuses us, or the file cannot be opened.
    pub fn open(url: &DatabaseUrl) -> ConnectionResult<Self> {
        match url {
            DatabaseUrl::Postgres(url) => open_postgres(url.expose()),
            DatabaseUrl::Sqlite(path) => open_sqlite(path),
        }
    }

    /// A transaction that may write: `BEGIN IMMEDIATE` on SQLite, where a transaction that begins by reading fails
    /// at once, whatever the busy timeout, when another connection wrote meanwhile. A nested `db.transaction(…)`
    /// inside is a savepoint.
    ///
    /// # Errors
    /// Those of `run`, and those of `BEGIN` and `COMMIT`.
    pub fn write<T, E: From<Error>>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let Self::Sqlite(connection) = self else { return self.transaction(run) };
        AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")?;
        match run(self) {
            Ok(value) => {
                <Self as Connection>::TransactionManager::commit_transaction(self)?;
                Ok(value)
            }
            Err(why) => match <Self as Connection>::TransactionManager::rollback_transaction(self) {
                Ok(()) | Err(Error::BrokenTransactionManager) => Err(why),
                Err(worse) => Err(worse.into()),
            },
        }
    }
}

fn open_postgres(url: &str) -> ConnectionResult<Db> {
    let mut connection = PgConnection::establish(&with_patience(url))?;
    connection
        .batch_execute("SET statement_timeout = '5s'; SET lock_timeout = '3s'; SET idle_in_transaction_session_timeout = '10s'; SET client_min_messages = 'warning'")
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(Db::Pg(connection))
}

/// The URL with a bound on how long a server that says nothing holds a thread: at connecting, and when its machine is
/// gone without a word, for which TCP alone would wait a quarter of an hour and more. What the URL sets itself stands.
fn with_patience(url: &str) -> String {
    const BOUNDS: [(&str, u32); 5] = [
        ("connect_timeout", 2),
        ("keepalives_idle", 5),
        ("keepalives_interval", 3),
        ("keepalives_count", 3),
        ("tcp_user_timeout", 15_000),
    ];
    let mut url = url.to_owned();
    for (name, value) in BOUNDS {
        if !url.contains(name) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{separator}{name}={value}");
        }
    }
    url
}

fn open_sqlite(path: &Path) -> ConnectionResult<Db> {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
    // The busy timeout stands first: switching to WAL takes a lock, and several processes start at once.
    connection
        .batch_execute(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(Db::Sqlite(connection))
}
