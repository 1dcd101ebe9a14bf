//! Two versions of the services at once, as during a roll-out.
//!
//! A database is brought up to date by whichever replica of the next version starts first, while replicas of this
//! version go on. So whatever a migration may do, the version before must be able to live with: the first test says
//! what a migration may not do, the second does all that it may do, to every table, and lives with it.

use std::{fs, path::Path, process::Command};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use irongate_test_servers::{Postgres, Redis, eventually, free_port};

use crate::support::{Backend, Companion, Diary, LIMIT, Person, Service, Setup, System, everyday};

/// Above a statement that takes something away: why the version before does not miss it.
const EXCUSE: &str = "-- Compatible: ";

#[test]
fn no_migration_takes_away_what_the_version_before_uses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files = 0;
    for backend in ["sqlite", "postgres"] {
        for migration in fs::read_dir(root.join(backend)).unwrap().flatten() {
            files += 1;
            let sql = fs::read_to_string(migration.path().join("up.sql")).unwrap();
            let name = format!("{backend}/{}", migration.file_name().display());
            assert_eq!(taken_away(&sql), Vec::<String>::new(), "{name}: say above it `{EXCUSE}…`, if it is");
        }
    }
    assert!(files > 20, "the migrations are looked for in the wrong place");
}

#[test]
fn what_takes_something_away_is_known() {
    let new = "CREATE TABLE new (id TEXT NOT NULL PRIMARY KEY);\n";
    for (sql, refused) in [
        ("ALTER TABLE users DROP COLUMN name;", true),
        ("DROP INDEX users_by_name;", true),
        ("DROP TABLE users;", true),
        ("ALTER TABLE users\n    RENAME COLUMN name TO title;", true),
        ("ALTER TABLE users ALTER COLUMN name SET NOT NULL;", true),
        ("ALTER TABLE users ADD COLUMN name TEXT NOT NULL;", true),
        ("ALTER TABLE users ADD CONSTRAINT short CHECK (length(name) < 9);", true),
        ("CREATE UNIQUE INDEX users_by_name ON users (name);", true),
        ("DELETE FROM users;", true),
        ("-- Compatible: nobody asked for it\nDROP INDEX users_by_name;", false),
        ("ALTER TABLE users ADD COLUMN name TEXT;", false),
        ("ALTER TABLE users ADD COLUMN name TEXT NOT NULL DEFAULT '';", false),
        ("CREATE INDEX users_by_name ON users (name); -- DROP TABLE in a remark", false),
        ("CREATE UNIQUE INDEX new_by_id ON new (id);", false),
        ("ALTER TABLE new ADD CONSTRAINT short CHECK (length(id) < 9);", false),
    ] {
        assert_eq!(!taken_away(&format!("{new}{sql}")).is_empty(), refused, "{sql}");
    }
}

/// Statements that old code may stumble over, but for those with an excuse. What happens to a table that the same
/// migration makes is nobody's business.
fn taken_away(sql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let (mut statement, mut excused) = (String::new(), false);
    for line in sql.lines() {
        excused |= line.starts_with(EXCUSE);
        let line = line.split("--").next().unwrap_or_default();
        statement.push_str(&line.to_uppercase());
        statement.push(' ');
        if line.trim_end().ends_with(';') {
            statements.push((statement.split_whitespace().collect::<Vec<_>>().join(" "), excused));
            (statement, excused) = (String::new(), false);
        }
    }
    let word_after = |text: &str, before: &str| -> Option<String> {
        text.split_once(before)?.1.split([' ', '(']).next().map(str::to_owned)
    };
    let made: Vec<_> =
        statements.iter().filter_map(|(statement, _)| word_after(statement, "CREATE TABLE ")).collect();
    let about_new = |statement: &str| {
        ["ALTER TABLE ", " ON "]
            .iter()
            .filter_map(|before| word_after(statement, before))
            .any(|table| made.contains(&table))
    };
    let takes_away = |statement: &str| {
        let alters = statement.starts_with("ALTER TABLE");
        statement.starts_with("DROP ")
            || statement.starts_with("DELETE FROM")
            || statement.starts_with("CREATE UNIQUE INDEX") && !about_new(statement)
            || alters
                && !about_new(statement)
                && ([" DROP ", " RENAME ", " SET NOT NULL", " ADD CONSTRAINT", " TYPE "]
                    .iter()
                    .any(|word| statement.contains(word))
                    || statement.contains(" NOT NULL") && !statement.contains(" DEFAULT "))
    };
    let all = statements.into_iter().filter(|(statement, excused)| !excused && takes_away(statement));
    all.map(|(statement, _)| statement).collect()
}

/// All that the next version's migrations may do, to every table.
const TABLES: &str = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' \
                      AND table_name <> '__diesel_schema_migrations' ORDER BY table_name";

/// With `IRONGATE_OTHER_VERSION`, the path of another version's `irongate`, the replicas that are there first are of that
/// version (`deploy/try-upgrade`); else all are of this one, which then is the version before.
#[tokio::test(flavor = "multi_thread")]
async fn this_version_serves_beside_another_over_the_next_ones_database() {
    let postgres = Postgres::start_with(&["synchronous_commit=on"]);
    let database = postgres.database();
    let redis = Redis::start();
    let mut setup = Setup::on(database.url()).generous();
    setup.set("REDIS_URL", &redis.url());
    setup.set("GATEWAY_URL", &format!("https://localhost:{}", setup.https));
    let mut others = Vec::new();
    for service in Service::ALL {
        let name = service.name().to_uppercase();
        let (ours, theirs) = (free_port(), free_port());
        setup.set(&format!("IRONGATE_{name}__LISTEN"), &format!("127.0.0.1:{ours}"));
        let servers = format!("127.0.0.1:{ours},127.0.0.1:{theirs}");
        setup.set(&format!("IRONGATE_GATEWAY__UPSTREAM__{name}__SERVERS"), &servers);
        others.push((service, theirs));
    }
    let start_others = |setup: &Setup| -> Vec<_> {
        others.iter().map(|(service, port)| other_version(setup, *service, *port)).collect()
    };
    let companions = start_others(&setup);
    let system = System::start_over(setup).await;
    let ann = system.newcomer("ann").await;
    let diary = Diary::open(&system, &ann).await;
    diary.write().await;

    diary
        .written_during(async {
            people_at_both_replicas_hear_each_other(&system).await;
            everyday(&system, ["bob", "cid"]).await;

            for statement in next_version(&postgres, database.name()) {
                postgres.query(database.name(), &statement).unwrap();
            }
            everyday(&system, ["dan", "eve"]).await;

            // All go and come back, over what they do not know.
            for companion in companions {
                companion.ends();
            }
            let _companions = start_others(&system.setup);
            for service in Service::ALL {
                all_up(&system, service, 2).await;
                let before = system.pid_of(service);
                system.kill(service);
                eventually("another one", LIMIT, || async {
                    system.pid_of(service).is_some_and(|pid| Some(pid) != before)
                })
                .await;
                all_up(&system, service, 2).await;
            }
            everyday(&system, ["fay", "gil"]).await;
        })
        .await;
    diary.is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn this_version_serves_over_the_next_versions_sqlite() {
    let system = System::start_over(Setup::new(Backend::Embedded).generous()).await;
    let file = system.setup.path("irongate.db").display().to_string();
    let mut database = SqliteConnection::establish(&file).unwrap();
    database.batch_execute("PRAGMA busy_timeout = 30000").unwrap();
    for table in sqlite_tables(&mut database) {
        for statement in additions(&table) {
            database.batch_execute(&statement).unwrap();
        }
    }

    everyday(&system, ["ann", "bob"]).await;
    let system = System::start_over(system.stopped()).await;
    everyday(&system, ["cid", "dan"]).await;
}

fn next_version(postgres: &Postgres, database: &str) -> Vec<String> {
    let tables = postgres.query(database, TABLES).unwrap();
    assert!(tables.lines().count() > 20, "{tables}");
    let mut statements: Vec<String> = tables.lines().flat_map(additions).collect();
    statements.push("CREATE TABLE next_version (id TEXT NOT NULL PRIMARY KEY)".to_owned());
    // diesel remembers it by this row.
    statements.push("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000000')".to_owned());
    statements
}

/// A whole number is called alike by both databases, though not as wide.
fn additions(table: &str) -> [String; 3] {
    [
        format!("ALTER TABLE {table} ADD COLUMN next_version_note TEXT"),
        format!("ALTER TABLE {table} ADD COLUMN next_version_count INTEGER NOT NULL DEFAULT 7"),
        format!("CREATE INDEX {table}_by_next_version_count ON {table} (next_version_count)"),
    ]
}

fn sqlite_tables(database: &mut SqliteConnection) -> Vec<String> {
    use diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types::Text};
    #[derive(QueryableByName)]
    struct Table {
        #[diesel(sql_type = Text)]
        name: String,
    }
    // Full-text search keeps tables of its own, which no migration touches.
    let all = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
               AND name NOT LIKE '%_fts%' AND name <> '__diesel_schema_migrations'";
    let tables: Vec<Table> = sql_query(all).load(database).unwrap();
    assert!(tables.len() > 20, "hardly a table");
    tables.into_iter().map(|table| table.name).collect()
}

fn other_version(setup: &Setup, service: Service, port: u16) -> Companion {
    let program = format!("{}-svc", service.name());
    let own = setup.command(&[&program]);
    let mut command = match std::env::var_os("IRONGATE_OTHER_VERSION") {
        None => own,
        Some(other) => {
            let mut command = Command::new(other);
            command.arg(&program).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
            command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
            command
        }
    };
    command.env(format!("IRONGATE_{}__LISTEN", service.name().to_uppercase()), format!("127.0.0.1:{port}"));
    Companion::start(&mut command)
}

async fn all_up(system: &System, service: Service, count: usize) {
    eventually(&format!("{count} servers of {service:?} to be up"), LIMIT, || async {
        let servers = system.servers(service).await;
        servers.as_array().unwrap().iter().filter(|server| server["state"] == "up").count() == count
    })
    .await;
}

async fn people_at_both_replicas_hear_each_other(system: &System) {
    let [jon, kay] = [system.newcomer("jon").await, system.newcomer("kay").await];
    let room = jon.create_room(system, "two versions").await;
    kay.join(system, &room).await;
    let mut jons = jon.chat(system).await;
    let mut kays = at_another_replica(system, &kay, &jons.replica).await;
    jons.join(&room, None).await;
    kays.join(&room, None).await;
    jons.say(&room, "from one version").await;
    kays.hears("from one version").await;
    kays.say(&room, "to another").await;
    jons.hears("to another").await;
}

async fn at_another_replica(system: &System, person: &Person, than: &str) -> crate::support::Chat {
    // A replica that has just come gets its share only slowly.
    for _ in 0..100 {
        let chat = person.chat(system).await;
        if chat.replica != than {
            return chat;
        }
    }
    panic!("nobody but {than} was reached");
}
