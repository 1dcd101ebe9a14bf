//! Diesel and nothing but: one file per table, one function per question.

mod arrays;
pub(crate) mod attachments;
pub(crate) mod bans;
pub(crate) mod log;
pub(crate) mod members;
pub(crate) mod mentions;
pub(crate) mod messages;
pub(crate) mod profiles;
pub(crate) mod reactions;
pub(crate) mod rooms;
mod schema;

use diesel::{ConnectionError, ConnectionResult, connection::SimpleConnection as _};
use irongate_shared::{config::DatabaseUrl, db::Db};

/// A connection for a write lane.
///
/// # Errors
/// The database is away or refuses us.
pub(crate) fn open_for_writing(url: &DatabaseUrl) -> ConnectionResult<Db> {
    let mut db = Db::open(url)?;
    if let Db::Pg(connection) = &mut db {
        // A lane's statements find rows by their keys, and are planned once. The plan must be that of a large table also
        // when it is made while the table is new: PostgreSQL would scan it, and go on so until it counts the rows again.
        connection
            .batch_execute(
                "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                 SET enable_mergejoin = off; SET enable_material = off",
            )
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(db)
}
