//! The file is locked by somebody, or its disk is full: reading goes on, writing says when to come back.

use std::sync::mpsc;

use irongate_shared::{
    config::DatabaseUrl,
    db::{Db, DbError},
};
use irongate_test_servers::SmallDisk;

use super::postgres::until_refused;
use crate::support::{Backend, Diary, Service, Setup, System};

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_holds_the_file_locked_reading_goes_on() {
    let system = System::start(Backend::Embedded).await;
    let ann = system.newcomer("ann").await;
    let diary = Diary::open(&system, &ann).await;
    diary.write().await;

    let lock = Lock::take(&system);
    let refused = diary.offer("locked-out", "?").await;
    assert_eq!(refused.status, 503, "{refused}");
    ann.get(&system, &format!("/chat/rooms/{}/messages", diary.room)).await.expect(200);
    ann.get(&system, "/user/me").await.expect(200);
    ann.refresh(&system).await.unavailable();
    drop(lock);

    diary.write().await;
    ann.refresh(&system).await.expect(200);
    diary.is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_reading_goes_on_and_writing_goes_on_when_there_is_room_again() {
    let disk = SmallDisk::mount(8);
    let system = System::start_over(Setup::on_disk(&disk).generous()).await;
    let ann = system.newcomer("ann").await;
    let diary = Diary::open(&system, &ann).await;
    diary.write().await;

    disk.fill();
    until_refused(&diary).await;
    ann.get(&system, &format!("/chat/rooms/{}/messages", diary.room)).await.expect(200);
    ann.get(&system, "/user/me").await.expect(200);
    assert_eq!(system.server(Service::Chat).await["state"], "up");

    disk.clear();
    diary.write().await;
    diary.is_complete().await;
    system.newcomer("bob").await;
}

/// A write transaction of another program.
struct Lock {
    release: Option<mpsc::Sender<()>>,
    holder: Option<std::thread::JoinHandle<()>>,
}

impl Lock {
    fn take(system: &System) -> Self {
        let url = DatabaseUrl::Sqlite(system.setup.path("irongate.db"));
        let (release, released) = mpsc::channel::<()>();
        let (taken, wait) = mpsc::channel();
        let holder = std::thread::spawn(move || {
            let mut db = Db::open(&url).unwrap();
            db.write(|_| {
                taken.send(()).unwrap();
                let _ = released.recv();
                Ok::<_, DbError>(())
            })
            .unwrap();
        });
        wait.recv().unwrap();
        Self { release: Some(release), holder: Some(holder) }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.release.take());
        self.holder.take().unwrap().join().unwrap();
    }
}
