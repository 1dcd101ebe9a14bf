//! Migrations: embedded, run at start under a lock, so that replicas may start together.
//!
//! All services' migrations stand in one folder and one history, because they share one database: whichever service
//! starts first brings the schema up to date for all.

use diesel::{RunQueryDsl, connection::SimpleConnection, result::Error};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Db, DbError};

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// Any number that nobody else locks in the same database.
const ADVISORY_LOCK: i64 = 4_919_131_752_989_213_764;

/// Brings the schema up to date; says how many migrations ran.
///
/// # Errors
/// The database is away, or a migration failed; then none of it stays.
pub(super) fn migrate(db: &mut Db) -> Result<usize, DbError> {
    match db {
        Db::Pg(connection) => {
            // Waiting for another replica's migration may take longer than a query may.
            connection.batch_execute("SET lock_timeout = 0; SET statement_timeout = 0")?;
            diesel::sql_query(format!("SELECT pg_advisory_lock({ADVISORY_LOCK})")).execute(connection)?;
            let ran = connection.run_pending_migrations(POSTGRES).map(|versions| versions.len());
            diesel::sql_query(format!("SELECT pg_advisory_unlock({ADVISORY_LOCK})")).execute(connection)?;
            ran.map_err(Error::QueryBuilderError).map_err(DbError::from)
        }
        Db::Sqlite(connection) => {
            // Rebuilding a table with foreign keys on deletes the rows that refer to it.
            connection.batch_execute("PRAGMA foreign_keys = OFF")?;
            let ran = connection.immediate_transaction(|connection| {
                connection
                    .run_pending_migrations(SQLITE)
                    .map(|versions| versions.len())
                    .map_err(Error::QueryBuilderError)
            });
            connection.batch_execute("PRAGMA foreign_keys = ON")?;
            Ok(ran?)
        }
    }
}
