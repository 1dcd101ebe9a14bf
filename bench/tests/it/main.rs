//! The bench itself, run as a person runs it. No timing is asserted here: a loaded machine is no failure.

use std::process::Command;

/// Every way of measuring works, against the real gateway and the real NGINX.
#[test]
fn a_short_run_measures_the_gateway_and_nginx_in_every_way() {
    let bench = Command::new(env!("CARGO_BIN_EXE_irongate-bench"))
        .args(["--smoke", "--first-port", "19000"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();

    let printed = String::from_utf8_lossy(&bench.stdout);
    let complaints = String::from_utf8_lossy(&bench.stderr);
    assert!(bench.status.success(), "{complaints}\n{printed}");
    for work in [
        "h1-tls-api",
        "h2-tls-api",
        "h1-plain-api",
        "redirect",
        "hs-resume",
        "ws-echo",
        "steady-60",
        "idle-memory",
    ] {
        let table = printed.split("### ").find(|part| part.starts_with(&format!("{work}:")));
        let table = table.unwrap_or_else(|| panic!("{work} is missing in\n{printed}"));
        for peer in ["irongate", "nginx"] {
            let row = table.lines().find_map(|line| line.strip_prefix(&format!("| {peer} | ")));
            let cost = row.and_then(|row| row.split(" |").next()).and_then(|cost| cost.parse::<f64>().ok());
            assert!(cost.is_some_and(|cost| cost > 0.0), "{peer} was not measured at {work}:\n{table}");
        }
    }
}

/// Both of our settings go through all the work of the chat; the peers need npm and PyPI, and are left out here.
#[test]
fn a_short_run_measures_the_chat_in_every_way() {
    let bench = Command::new(env!("CARGO_BIN_EXE_irongate-bench"))
        .args(["chat", "--smoke", "--first-port", "19200", "--servers-on", "0", "--load-on", "0"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();

    let printed = String::from_utf8_lossy(&bench.stdout);
    let complaints = String::from_utf8_lossy(&bench.stderr);
    assert!(bench.status.success(), "{complaints}\n{printed}");
    let tables: Vec<&str> = printed.split("### ").skip(1).collect();
    assert_eq!(tables.len(), 4, "{printed}");
    for table in tables {
        for peer in ["irongate", "irongate-sqlite"] {
            let row = table.lines().find_map(|line| line.strip_prefix(&format!("| {peer} | ")));
            let figure = row.and_then(|row| row.split(" |").next()).map(|figure| figure.replace(',', ""));
            let figure = figure.and_then(|figure| figure.parse::<f64>().ok());
            assert!(figure.is_some_and(|figure| figure > 0.0), "{peer} was not measured:\n{table}");
        }
    }
}

#[test]
fn a_misspelt_work_is_refused_before_anything_starts() {
    let bench =
        Command::new(env!("CARGO_BIN_EXE_irongate-bench")).args(["--work", "h1-tls-apy"]).output().unwrap();

    assert!(!bench.status.success());
    let complaints = String::from_utf8_lossy(&bench.stderr);
    assert_eq!(complaints.trim(), "bench: there is no work `h1-tls-apy`; `bench list` names all");
}
