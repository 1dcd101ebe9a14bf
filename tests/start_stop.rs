//! What a person at the terminal sees.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Output, Stdio},
    sync::mpsc::RecvTimeoutError,
    time::Duration,
};

use irongate_test_servers::{free_port, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::{Backend, LIMIT, PASSWORD, Person, Setup, System, lives};

const PROGRAMS: [&str; 4] = ["gateway", "auth-svc", "user-svc", "chat-svc"];

#[tokio::test(flavor = "multi_thread")]
async fn the_summary_says_where_to_go() {
    let system = System::start(Backend::Embedded).await;

    let output = system.output();

    assert!(output.contains(&system.url("")), "no address of the application");
    assert!(output.contains(&system.url("/admin/")), "no address of the dashboard");
    assert!(output.contains("irongate create-admin"), "no way to the first administrator");
    for program in PROGRAMS {
        assert!(output.lines().any(|line| line.starts_with(program)), "no line of {program}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_everything_in_order() {
    let system = System::start(Backend::Embedded).await;
    let programs = system.programs();
    assert_eq!(programs.len(), 4);

    kill_process(system.supervisor(), Signal::INT).unwrap();
    let (status, _, output) = system.ended();

    assert_eq!(status.code(), Some(0), "{output}");
    assert!(!programs.into_iter().any(lives), "{output}");
    assert!(output.trim_end().ends_with("stopped"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn down_stops_what_up_started() {
    let system = System::start(Backend::Embedded).await;

    let down = run(&mut system.setup.command(&["down"]));
    let (status, setup, _) = system.ended();

    assert!(down.status.success(), "{down:?}");
    assert_eq!(status.code(), Some(0));
    let again = run(&mut setup.command(&["down"]));
    assert!(text(&again.stdout).starts_with("Nothing is running"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_outlives_a_killed_supervisor() {
    let system = System::start(Backend::Embedded).await;
    let programs = system.programs();

    kill_process(system.supervisor(), Signal::KILL).unwrap();
    let (_, setup, _) = system.ended();

    // Each ends cleanly, long before its last resort after 20 seconds.
    wait_until("the programs to end", Duration::from_secs(15), || !programs.iter().any(|pid| lives(*pid)));
    // What was left of the first does not stand in the way of the next.
    System::start_over(setup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_system_over_the_same_data_is_refused() {
    let system = System::start(Backend::Embedded).await;

    let second = run(&mut system.setup.command(&["up"]));

    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.contains("a system is running over") && said.contains("`irongate down`"), "{said}");
    system.get("/").await.expect(200);
}

#[test]
fn a_taken_port_is_named_before_anything_starts() {
    let setup = Setup::new(Backend::Embedded);
    let _taken = TcpListener::bind(("127.0.0.1", setup.https)).unwrap();

    let refused = run(&mut setup.command(&["up"]));

    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains(&format!("port {} (gateway) is taken by `", setup.https)), "{said}");
    assert!(said.contains("IRONGATE_GATEWAY__LISTEN__HTTPS="), "{said}");
}

#[test]
fn a_setting_that_cannot_be_right_ends_with_code_2() {
    let mut setup = Setup::new(Backend::Embedded);
    setup.set("DATABASE_URL", "postgers://localhost/irongate");

    let refused = run(&mut setup.command(&["up"]));

    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("DATABASE_URL  fits no known database"), "{refused:?}");
}

#[test]
fn one_program_that_refuses_its_settings_stops_the_others() {
    let mut setup = Setup::new(Backend::Embedded);
    setup.set("IRONGATE_CHAT__LISTN", "127.0.0.1:1");

    let refused = run(&mut setup.command(&["up"]));

    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stdout);
    assert!(said.contains("unknown key `listn`"), "{said}");
    assert!(said.contains("chat-svc refuses its settings"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_opens_the_dashboard_and_others_do_not() {
    let system = System::start(Backend::Embedded).await;
    let bob = system.newcomer("bob").await;

    let created = system.setup.create_admin("root", PASSWORD);
    let root = Person::new(&system, "root").sign_in(&system).await;

    assert!(created.status.success(), "{created:?}");
    root.get(&system, "/admin/api/state").await.expect(200);
    bob.get(&system, "/admin/api/state").await.problem(403);
    system.get("/admin/api/state").await.problem(401);
}

#[test]
fn an_administrator_needs_a_password_that_is_good() {
    let setup = Setup::new(Backend::Embedded);

    let refused = setup.create_admin("root", "short");

    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(text(&refused.stderr).contains("password"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_program_says_how_the_one_that_runs_is() {
    let mut setup = Setup::new(Backend::Embedded);
    // What `up` chooses by itself only its own children know.
    setup.set("IRONGATE_AUTH__LISTEN", &format!("127.0.0.1:{}", free_port()));
    setup.set("IRONGATE_USER__LISTEN", &format!("127.0.0.1:{}", free_port()));
    let socket = setup.path("asked.sock");
    setup.set("IRONGATE_CHAT__LISTEN", &format!("unix:{}", socket.display()));
    let system = System::start_over(setup).await;

    for program in PROGRAMS {
        let asked = run(&mut system.setup.command(&[program, "--health"]));

        assert!(asked.status.success(), "{program}: {asked:?}");
        assert!(text(&asked.stdout).contains(r#""status":"ok""#), "{program}: {asked:?}");
    }

    let setup = system.stopped();
    for program in PROGRAMS {
        let asked = run(&mut setup.command(&[program, "--health"]));

        assert_eq!(asked.status.code(), Some(1), "{program}: {asked:?}");
        assert!(text(&asked.stdout).contains("does not answer"), "{program}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trust_says_what_to_type() {
    let system = System::start(Backend::Embedded).await;

    let said = run(&mut system.setup.command(&["trust"]));

    assert!(said.status.success(), "{said:?}");
    let authority = fs::canonicalize(system.setup.path("tls/authority.pem")).unwrap();
    assert!(text(&said.stdout).contains(&authority.display().to_string()), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let system = System::start(Backend::Embedded).await;
    system.post("/auth/refresh", &json!({})).await;

    let mut open = Vec::new();
    let mut folders = vec![system.setup.path("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let secret = fs::read(&path).is_ok_and(|bytes| text(&bytes).contains("PRIVATE KEY"));
            if path.is_dir() {
                folders.push(path);
            } else if secret && entry.metadata().unwrap().permissions().mode() & 0o077 != 0 {
                open.push(path);
            }
        }
    }

    assert!(open.is_empty(), "readable by others: {open:?}");
    let data = fs::metadata(system.setup.path("")).unwrap().permissions().mode();
    assert_eq!(data & 0o077, 0, "the data directory is open: {data:o}");
}

/// What a command says by the time it ends; a command that never ends is killed, and said so.
fn run(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (ended, watch) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if watch.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            kill_process(pid, Signal::KILL).unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watchdog.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
