//! RFC 6455 by Autobahn's cases, as kosoku (PyPI) runs them, against the layer that every WebSocket of the service is on.

use std::net::TcpListener;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use irongate_chat_svc::Wire;
use irongate_shared::problem::Problem;
use irongate_test_servers::python_program;
use tokio::process::Command;

/// The cases of the limits (9.*) send messages of 16 MiB; chat's own limit has tests of its own (`hostile`).
const LARGEST: usize = 32 << 20;

async fn echo(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let (response, wire) = Wire::open(&request, payload, None, LARGEST)?;
    actix_web::rt::spawn(wire.echo());
    Ok(response)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_autobahn_cases_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = HttpServer::new(|| App::new().default_service(web::to(echo)))
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
    let handle = server.handle();
    let thread = std::thread::spawn(move || actix_web::rt::System::new().block_on(server));
    let reports = tempfile::tempdir().unwrap();
    let kosoku = tokio::task::spawn_blocking(|| python_program("kosoku")).await.unwrap();

    let mut run = Command::new(kosoku);
    // 12 and 13 are about compression, which is not offered.
    run.args([&address, "-x", "12.*", "-x", "13.*", "-p", "4", "-o"]).arg(reports.path()).kill_on_drop(true);
    let ran = tokio::time::timeout(std::time::Duration::from_secs(300), run.output()).await;

    let output = ran.expect("it ends in time").expect("kosoku runs");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("301 cases passed"), "all of them ran: {said}");
    handle.stop(false).await;
    thread.join().unwrap().unwrap();
}
