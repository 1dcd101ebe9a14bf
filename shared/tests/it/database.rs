//! Opening, migrating, transactions and errors, each on SQLite and PostgreSQL.

use std::time::Duration;

use diesel::{RunQueryDsl as _, connection::SimpleConnection as _};
use irongate_shared::{
    config::DatabaseUrl,
    db::{Database, Db, DbError, Violation},
};
use irongate_test_servers::Postgres;

/// Runs the same test on an empty database of each kind.
async fn on_both<F>(test: impl Fn(DatabaseUrl) -> F)
where
    F: Future<Output = ()>,
{
    let folder = tempfile::tempdir().unwrap();
    test(DatabaseUrl::Sqlite(folder.path().join("new/irongate.db"))).await;
    let database = Postgres::shared().database();
    test(database.url().parse().unwrap()).await;
}

fn counter(db: &mut Db) -> Result<(), DbError> {
    Ok(db.batch_execute(
        "CREATE TABLE counter (name TEXT CONSTRAINT counter_name_key UNIQUE, n BIGINT NOT NULL)",
    )?)
}

diesel::table! {
    counter (name) {
        name -> Text,
        n -> BigInt,
    }
}

#[tokio::test]
async fn replicas_that_start_together_migrate_once() {
    on_both(|url| async move {
        let starts = (0..4).map(|_| {
            let url = url.clone();
            tokio::spawn(async move { Database::open(&url, 2).await.map(|_| ()) })
        });

        for started in futures_util::future::join_all(starts).await {
            started.unwrap().unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_write_that_fails_leaves_nothing() {
    on_both(|url| async move {
        use diesel::prelude::*;
        let database = Database::open(&url, 2).await.unwrap();
        database.write(counter).await.unwrap();

        let failed: Result<(), DbError> = database
            .write(|db| {
                diesel::insert_into(counter::table)
                    .values((counter::name.eq("a"), counter::n.eq(1)))
                    .execute(db)?;
                Err(DbError::Busy("on purpose".to_owned()))
            })
            .await;

        assert!(matches!(failed, Err(DbError::Busy(_))));
        let rows: i64 =
            database.read(|db| Ok::<_, DbError>(counter::table.count().get_result(db)?)).await.unwrap();
        assert_eq!(rows, 0);
    })
    .await;
}

#[tokio::test]
async fn writers_that_read_first_do_not_lose_each_others_updates_on_sqlite() {
    use diesel::prelude::*;
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("irongate.db"));
    // Two, as two processes on one file.
    let databases = [Database::open(&url, 4).await.unwrap(), Database::open(&url, 4).await.unwrap()];
    databases[0].write(counter).await.unwrap();
    databases[0]
        .write(|db| {
            diesel::insert_into(counter::table)
                .values((counter::name.eq("a"), counter::n.eq(0)))
                .execute(db)?;
            Ok::<_, DbError>(())
        })
        .await
        .unwrap();

    let writes = (0..100).map(|at| {
        let database = databases[at % 2].clone();
        tokio::spawn(async move {
            database
                .write(|db| {
                    let n: i64 = counter::table.select(counter::n).first(db)?;
                    diesel::update(counter::table).set(counter::n.eq(n + 1)).execute(db)?;
                    Ok::<_, DbError>(())
                })
                .await
        })
    });
    for written in futures_util::future::join_all(writes).await {
        written.unwrap().unwrap();
    }

    let n: i64 =
        databases[1].read(|db| Ok::<_, DbError>(counter::table.select(counter::n).first(db)?)).await.unwrap();
    assert_eq!(n, 100);
}

#[tokio::test]
async fn a_broken_rule_is_named_alike() {
    on_both(|url| async move {
        use diesel::prelude::*;
        let database = Database::open(&url, 2).await.unwrap();
        database.write(counter).await.unwrap();
        let insert = |db: &mut Db| -> Result<(), DbError> {
            diesel::insert_into(counter::table)
                .values((counter::name.eq("a"), counter::n.eq(1)))
                .execute(db)?;
            Ok(())
        };
        database.write(insert).await.unwrap();

        let refused = database.write(insert).await.unwrap_err().violation().unwrap();

        assert!(matches!(refused, Violation::Unique(_)), "{refused:?}");
        assert!(refused.is_about("name"), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_was_cut_costs_one_answer_at_most() {
    let server = Postgres::shared().database();
    let url = server.url().parse().unwrap();
    let database = Database::open(&url, 1).await.unwrap();
    let other = Database::open(&url, 1).await.unwrap();
    let ask = || database.read(|db| Ok::<_, DbError>(db.batch_execute("SELECT 1")?));
    let cut = || {
        other.read(|db| {
            Ok::<_, DbError>(db.batch_execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            )?)
        })
    };

    // Cut in use, it is lent once more, and no second time.
    ask().await.unwrap();
    cut().await.unwrap();
    assert!(matches!(ask().await, Err(DbError::Unavailable(_))));
    ask().await.unwrap();

    // Cut while it lay idle, it is not lent at all.
    cut().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    ask().await.unwrap();
}

#[tokio::test]
async fn both_schemas_say_the_same() {
    // Apart from what full-text search needs: numbered rows on SQLite, a vector column on PostgreSQL.
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Database::open(&DatabaseUrl::Sqlite(folder.path().join("irongate.db")), 1).await.unwrap();
    let server = Postgres::shared().database();
    let postgres = Database::open(&server.url().parse().unwrap(), 1).await.unwrap();
    #[derive(diesel::QueryableByName)]
    struct Column {
        #[diesel(sql_type = diesel::sql_types::Text)]
        text: String,
    }
    let columns = |sql: &'static str| {
        move |db: &mut Db| {
            Ok::<_, DbError>(
                diesel::sql_query(sql).load::<Column>(db)?.into_iter().map(|c| c.text).collect::<Vec<_>>(),
            )
        }
    };

    let mut here = sqlite
        .read(columns(
            "SELECT m.name || '.' || c.name || CASE WHEN c.\"notnull\" THEN ' NOT NULL' ELSE '' END AS text \
             FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_\\_diesel%' ESCAPE '\\' \
             AND c.name <> 'row_id' AND m.sql NOT LIKE 'CREATE VIRTUAL%' AND m.name NOT LIKE '%\\_fts\\_%' ESCAPE '\\'",
        ))
        .await
        .unwrap();
    let mut there = postgres
        .read(columns(
            "SELECT table_name || '.' || column_name || CASE WHEN is_nullable = 'NO' THEN ' NOT NULL' ELSE '' END AS text \
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%' \
             AND data_type <> 'tsvector'",
        ))
        .await
        .unwrap();

    here.sort();
    there.sort();
    assert_eq!(here, there);
}

#[tokio::test]
async fn a_database_that_is_away_is_said_to_be_away_and_found_again() {
    let server = Postgres::start();
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    let database = Database::open(&url.parse().unwrap(), 2).await.unwrap();
    server.stop();

    let asked = database.ping().await.unwrap_err();
    assert!(asked.starts_with("the database is not reachable"), "{asked}");

    server.start_again();
    irongate_test_servers::eventually("the database to answer again", Duration::from_secs(20), || async {
        database.ping().await.is_ok()
    })
    .await;
}
