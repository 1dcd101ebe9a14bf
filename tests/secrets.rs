//! No log line holds a secret, however much is logged and whatever goes wrong.

use std::fs;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use irongate_test_servers::{Postgres, Redis, eventually};

use crate::support::{LIMIT, Service, Setup, System, everyday};

const DATABASE_PASSWORD: &str = "the-password-of-the-database";
const REDIS_PASSWORD: &str = "the-password-of-redis";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_ever_logged() {
    let postgres = Postgres::start();
    let database = postgres.database();
    let redis = Redis::start();
    redis.client().command(&format!("CONFIG SET requirepass {REDIS_PASSWORD}"));
    let url = database.url().replace("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"));
    let mut setup = Setup::on(&url).generous();
    setup.set("REDIS_URL", &redis.url().replace("redis://", &format!("redis://:{REDIS_PASSWORD}@")));
    // All that a release can be made to say.
    setup.set("RUST_LOG", "debug");
    let system = System::start_over(setup).await;

    let mut secrets = everyday(&system, ["ann", "bob"]).await;
    secrets.push(("the database's password", DATABASE_PASSWORD.to_owned()));
    secrets.push(("the password of Redis", REDIS_PASSWORD.to_owned()));
    // Failures say more than success does.
    postgres.stop();
    for service in Service::ALL {
        system.wait_for(service, "down").await;
    }
    let login = serde_json::json!({"username": "ann", "password": crate::support::PASSWORD});
    system.post("/auth/login", &login).await.unavailable();
    postgres.start_again();
    redis.stop();
    // As much as is said at the start.
    for service in Service::ALL {
        system.wait_for(service, "up").await;
        let before = system.pid_of(service);
        system.kill(service);
        eventually("another one", LIMIT, || async {
            system.pid_of(service).is_some_and(|pid| Some(pid) != before)
        })
        .await;
        system.wait_for(service, "up").await;
    }
    secrets.extend(kept(&system));
    let output = system.output();

    assert!(output.contains("DEBUG"), "hardly anything was logged:\n{output}");
    for (name, secret) in secrets {
        assert!(secret.len() >= 6, "{name} is too short to look for: {secret}");
        for written in [secret.clone(), BASE64_STANDARD.encode(&secret)] {
            let line = output.lines().find(|line| line.contains(&written));
            assert!(line.is_none(), "{name} is in the log:\n{}", line.unwrap());
        }
    }
}

/// What the system made for itself at its first start.
fn kept(system: &System) -> Vec<(&'static str, String)> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(system.setup.path("secrets")).unwrap().flatten() {
        kept.push(("a key of the installation", fs::read_to_string(entry.path()).unwrap().trim().to_owned()));
    }
    assert!(kept.len() >= 4, "{kept:?}");
    for entry in fs::read_dir(system.setup.path("tls")).unwrap().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if text.contains("PRIVATE KEY") {
            kept.extend(
                text.lines()
                    .filter(|line| !line.starts_with("--"))
                    .map(|line| ("a private key", line.to_owned())),
            );
        }
    }
    kept
}
