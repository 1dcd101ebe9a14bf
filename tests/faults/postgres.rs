//! PostgreSQL stops, crashes, stands still, has no connection or no disk left.
//!
//! For as long as that lasts whatever needs it is refused with 503 and a time to come back; files and the dashboard go
//! on; then everything goes on by itself.

use std::process::{Child, Command, Stdio};

use irongate_test_servers::{Postgres, SmallDisk, eventually, wait_until};
use serde_json::json;

use crate::support::{Diary, LIMIT, PASSWORD, Person, Service, Setup, System};

/// Its acknowledged transactions survive a crash of itself, as those of every server in use do.
const DURABLE: &str = "synchronous_commit=on";

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_away_or_stands_still_users_are_told_and_nothing_acknowledged_is_lost() {
    let postgres = Postgres::start_with(&[DURABLE]);
    let database = postgres.database();
    let system = System::start_over(Setup::on(database.url()).generous()).await;
    let ann = system.newcomer("ann").await;
    let diary = Diary::open(&system, &ann).await;
    let mut chat = ann.chat(&system).await;
    chat.join(&diary.room, None).await;

    let ends: [fn(&Postgres); 2] = [Postgres::stop, Postgres::crash];
    for end in ends {
        diary
            .written_during(async {
                diary.goes_on().await;
                end(&postgres);
                nothing_but_files_is_there(&system, &ann).await;
                postgres.start_again();
                all_is_there_again(&system, &ann).await;
                diary.goes_on().await;
            })
            .await;
    }
    diary
        .written_during(async {
            // Too short for anybody to notice but by a longer wait.
            postgres.stop();
            postgres.start_again();
            diary.goes_on().await;

            postgres.pause();
            nothing_but_files_is_there(&system, &ann).await;
            postgres.resume();
            all_is_there_again(&system, &ann).await;
            diary.goes_on().await;
        })
        .await;

    diary.is_complete().await;
    assert!(diary.refused() > 0, "nothing was refused: did anything break?");
    // The socket was open all the while, and nobody had to come back.
    chat.hears(&format!("page-{}", diary.acknowledged())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_without_a_connection_to_spare_is_waited_for() {
    let postgres = Postgres::start_with(&[DURABLE, "max_connections=24"]);
    let database = postgres.database();
    let sql = |sql: &str| postgres.query("postgres", sql).unwrap();
    // A role without the right to the last, reserved connections, as a service has.
    sql("CREATE ROLE app LOGIN");
    sql(&format!("ALTER DATABASE {} OWNER TO app", database.name()));
    let url = database.url().replace("postgres@", "app@");
    let system = System::start_over(Setup::on(&url).generous()).await;
    let ann = system.newcomer("ann").await;
    let diary = Diary::open(&system, &ann).await;
    diary.write().await;

    // The services lose what they have and get no other: first each of them is refused, then there is none left.
    sql("ALTER ROLE app CONNECTION LIMIT 0");
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
    nothing_but_files_is_there(&system, &ann).await;
    let hogs = Hogs::start(&postgres, database.url(), 21);
    sql("ALTER ROLE app CONNECTION LIMIT -1");
    nothing_but_files_is_there(&system, &ann).await;
    drop(hogs);

    // Whoever was first has taken more than it needs, and gives it back.
    all_is_there_again(&system, &ann).await;
    diary.write().await;
    diary.is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_of_postgresql_reading_goes_on_and_writing_says_when_to_come_back() {
    let disk = SmallDisk::mount(24);
    let postgres = Postgres::start_with(&[DURABLE]);
    let database = postgres.database_on(&disk);
    let system = System::start_over(Setup::on(database.url()).generous()).await;
    let ann = system.newcomer("ann").await;
    let diary = Diary::open(&system, &ann).await;
    diary.write().await;

    disk.fill();
    until_refused(&diary).await;

    let history = format!("/chat/rooms/{}/messages", diary.room);
    ann.get(&system, &history).await.expect(200);
    ann.get(&system, "/user/me").await.expect(200);
    assert_eq!(system.server(Service::Chat).await["state"], "up");

    disk.clear();
    diary.write().await;
    diary.is_complete().await;
    system.newcomer("bob").await;
}

/// Writes long messages: the pages that are there already still take short ones.
pub(super) async fn until_refused(diary: &Diary<'_>) {
    let mut number = 0;
    eventually("the disk to be too full for another message", LIMIT, || {
        number += 1;
        let cid = format!("long-{number}");
        async move {
            // Nothing to compress.
            let body: String = (0..200).map(|_| uuid::Uuid::now_v7().to_string()).collect();
            diary.offer(&cid, &body).await.status == 503
        }
    })
    .await;
}

/// What users see without a database. Waits until the gateway has noticed, so that the return can be noticed too.
async fn nothing_but_files_is_there(system: &System, ann: &Person) {
    let login = json!({"username": "ann", "password": PASSWORD});
    let (signing_in, profile, rooms) = tokio::join!(
        system.post("/auth/login", &login),
        ann.get(system, "/user/me"),
        ann.get(system, "/chat/rooms"),
    );
    signing_in.unavailable();
    profile.unavailable();
    rooms.unavailable();
    for service in Service::ALL {
        system.wait_for(service, "down").await;
    }
    system.get("/").await.expect(200);
    let health = system.get("/health").await.json();
    assert_eq!(health["status"], "degraded", "{health}");
    assert!(health["checks"]["auth"]["reason"].is_string(), "{health}");
    ann.get(system, "/chat/rooms").await.unavailable();
}

async fn all_is_there_again(system: &System, ann: &Person) {
    for service in Service::ALL {
        system.wait_for(service, "up").await;
    }
    ann.get(system, "/user/me").await.expect(200);
    ann.get(system, "/chat/rooms").await.expect(200);
    ann.refresh(system).await.expect(200);
}

/// Other programs that hold connections and do nothing with them.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start(postgres: &Postgres, url: &str, count: usize) -> Self {
        let hog = |_| {
            let mut psql = Command::new("psql");
            // It waits for what we might type.
            psql.arg(url).env("PGAPPNAME", "hog").stdin(Stdio::piped());
            psql.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let hogs = Self((0..count).map(hog).collect());
        wait_until("every hog to have its connection", LIMIT, || {
            let held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hog'";
            postgres.query("postgres", held).is_ok_and(|held| held == count.to_string())
        });
        hogs
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}
