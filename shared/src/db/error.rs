//! What can go wrong at the database, by what a caller can do about it.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};

use crate::problem::Problem;

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection, or it broke, or there is no room on its disk: trying again later makes sense, and nothing is
    /// known to be stored.
    #[error("the database is not reachable: {0}")]
    Unavailable(String),
    /// All connections are in use, or a lock was not had in time.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The query itself failed.
    #[error("the database refused a query")]
    Query(#[source] Error),
}

impl DbError {
    /// The rule that a write broke, if it was one: a name taken, a row that others refer to.
    pub fn violation(&self) -> Option<Violation> {
        match self {
            Self::Query(why) => violation(why),
            Self::Unavailable(_) | Self::Busy(_) => None,
        }
    }
}

impl From<Error> for DbError {
    /// SQLite and PostgreSQL report locks, timeouts and lost connections as unknown errors: the message decides.
    fn from(why: Error) -> Self {
        const BUSY: [&str; 5] = [
            "database is locked",
            "deadlock detected",
            "lock timeout",
            "statement timeout",
            "could not serialize",
        ];
        const AWAY: [&str; 11] = [
            "server closed the connection",
            "terminating connection",
            "connection not open",
            "no connection to the server",
            "the database system is",
            "could not receive data from server",
            // PostgreSQL with a full disk, and one out of memory or of a table for locks.
            "No space left on device",
            "out of memory",
            "out of shared memory",
            // SQLite with a full disk: at once, or when it needs a page of its shared index.
            "database or disk is full",
            "disk I/O error",
        ];
        match &why {
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection, info) => {
                Self::Unavailable(info.message().to_owned())
            }
            Error::DatabaseError(
                DatabaseErrorKind::Unknown
                | DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::UnableToSendCommand,
                info,
            ) => {
                let message = info.message();
                if BUSY.iter().any(|text| message.contains(text)) {
                    Self::Busy(message.to_owned())
                } else if AWAY.iter().any(|text| message.contains(text)) {
                    Self::Unavailable(message.to_owned())
                } else {
                    Self::Query(why)
                }
            }
            // A server that has just become, or is not yet, the one that takes writes.
            Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, info) => {
                Self::Unavailable(info.message().to_owned())
            }
            Error::BrokenTransactionManager => {
                Self::Unavailable("the connection broke in a transaction".to_owned())
            }
            _ => Self::Query(why),
        }
    }
}

impl From<DbError> for Problem {
    fn from(why: DbError) -> Self {
        match why {
            DbError::Unavailable(_) | DbError::Busy(_) => Self::unavailable(why),
            DbError::Query(_) => Self::internal(why),
        }
    }
}

/// A rule of the schema that a write broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// `unique("users.username_key")`: SQLite names the columns, PostgreSQL the constraint; both as text here.
    Unique(String),
    ForeignKey(String),
    /// A `CHECK` or `NOT NULL`: input validation let through what the schema does not.
    Rule(String),
}

impl Violation {
    /// Whether the broken rule is about `column`. Constraints are named `table_column_…` in our migrations, so the
    /// column's name stands in both databases' texts.
    pub fn is_about(&self, column: &str) -> bool {
        let (Self::Unique(text) | Self::ForeignKey(text) | Self::Rule(text)) = self;
        text.contains(column)
    }
}

/// Reads the broken rule out of diesel's error, the same for both databases.
pub fn violation(why: &Error) -> Option<Violation> {
    let Error::DatabaseError(kind, info) = why else { return None };
    let text = rule_name(info.as_ref());
    match kind {
        DatabaseErrorKind::UniqueViolation => Some(Violation::Unique(text)),
        DatabaseErrorKind::ForeignKeyViolation => Some(Violation::ForeignKey(text)),
        DatabaseErrorKind::NotNullViolation | DatabaseErrorKind::CheckViolation => {
            Some(Violation::Rule(text))
        }
        _ => None,
    }
}

/// PostgreSQL gives the constraint's name; SQLite only `UNIQUE constraint failed: users.name`.
fn rule_name(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> String {
    let after_colon = || info.message().rsplit(": ").next().unwrap_or_default();
    info.constraint_name().unwrap_or_else(after_colon).to_owned()
}
