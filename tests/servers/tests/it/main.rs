//! The servers themselves: that they answer, come back, and never outlive the test that started them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use irongate_test_servers::{Postgres, Redis, eventually, wait_until};

#[test]
fn two_databases_are_two_urls_of_one_server() {
    let first = Postgres::shared().database();
    let second = Postgres::shared().database();

    assert_ne!(first.url(), second.url());
    assert_eq!(query(first.url(), "SELECT 6 * 7"), "42");
    assert_eq!(query(second.url(), "SHOW fsync"), "off");
}

#[test]
fn a_stopped_postgres_comes_back_with_its_data() {
    let server = Postgres::start();
    let database = server.database();
    query(database.url(), "CREATE TABLE kept AS SELECT 7 AS seven");

    server.stop();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    server.start_again();

    assert_eq!(query(database.url(), "SELECT seven FROM kept"), "7");
}

#[test]
fn a_stopped_redis_comes_back_empty() {
    let redis = Redis::start();
    assert_eq!(ask(&redis, "SET key value"), "+OK");

    redis.stop();
    assert!(TcpStream::connect(("127.0.0.1", redis.port())).is_err());
    redis.start_again();

    assert_eq!(ask(&redis, "EXISTS key"), ":0");
}

#[test]
fn a_paused_redis_accepts_and_says_nothing() {
    let redis = Redis::start();

    redis.pause();
    let mut connection = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    connection.write_all(b"PING\r\n").unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(connection.read(&mut [0; 1]).is_err());

    redis.resume();
    assert_eq!(ask(&redis, "PING"), "+PONG");
}

/// Runs itself in a second process that holds two servers, kills that, and looks for what it left.
#[test]
fn servers_end_when_their_test_is_killed() {
    if std::env::var_os("HOLD_SERVERS").is_some() {
        let redis = Redis::start();
        redis.pause();
        println!("ports {} {}", Postgres::shared().port(), redis.port());
        wait_until("the kill", Duration::from_secs(60), || false);
    }

    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "servers_end_when_their_test_is_killed", "--nocapture"])
        .env("HOLD_SERVERS", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let ports: Vec<u16> = BufReader::new(test.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| {
            Some(line.split_once("ports ")?.1.split(' ').map(|port| port.parse().unwrap()).collect())
        })
        .expect("the test says its ports");
    assert!(ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()));
    test.kill().unwrap();
    test.wait().unwrap();

    for port in ports {
        wait_until("the server to be gone", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).is_err()
        });
    }
}

#[tokio::test]
async fn waiting_lets_other_tasks_go_on() {
    let (sender, mut receiver) = tokio::sync::oneshot::channel();
    tokio::spawn(async move { sender.send(()) });

    eventually("the other task to run", Duration::from_secs(5), || {
        let arrived = receiver.try_recv().is_ok();
        async move { arrived }
    })
    .await;
}

fn query(url: &str, sql: &str) -> String {
    let output = Command::new("psql").args([url, "-qtAc", sql]).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn ask(redis: &Redis, command: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    write!(connection, "{command}\r\n").unwrap();
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer).unwrap();
    answer.trim_end().to_owned()
}
