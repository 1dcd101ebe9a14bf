//! Every way in which a command or a question is refused.

use std::time::Duration;

use irongate_shared::{clock::Timestamp, db::DbError};

/// Why not. HTTP turns it into a problem document, WebSocket into an `err` frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Also for a private room towards those who are not in it: they are not told that it exists.
    #[error("That room does not exist.")]
    NoSuchRoom,
    #[error("Join the room first.")]
    NotAMember,
    #[error("You were banned from this room.")]
    Banned { until: Option<Timestamp> },
    #[error("You cannot write in this room at the moment.")]
    Muted { until: Timestamp },
    /// The sentence says what it takes.
    #[error("{0}")]
    NotAllowed(&'static str),
    #[error("There is no such message in this room.")]
    NoSuchMessage,
    #[error("That user is not in this room.")]
    NoSuchMember,
    #[error("That user does not exist.")]
    NoSuchUser,
    #[error("A room must keep an owner. Make somebody else owner first.")]
    LastOwner,
    #[error("The room is full.")]
    Full,
    #[error("{message}")]
    Invalid { field: &'static str, message: &'static str },
    #[error("Slow down a little.")]
    TooFast { retry: Duration },
    /// The lane's queue is full: more work than the database takes.
    #[error("Too much is going on at the moment. Please try again.")]
    Overloaded,
    /// The database is away. Nothing is known to be stored; sending the same `cid` again is safe.
    #[error("The service cannot store anything at the moment. Please try again.")]
    Unavailable(String),
    /// A bug of ours; the log has the cause.
    #[error("Something went wrong on our side.")]
    Broken(String),
}

impl From<DbError> for Refused {
    fn from(why: DbError) -> Self {
        match why {
            DbError::Unavailable(why) | DbError::Busy(why) => Self::Unavailable(why),
            why @ DbError::Query(_) => Self::Broken(format!("{:#}", anyhow::Error::from(why))),
        }
    }
}

impl From<diesel::result::Error> for Refused {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}
