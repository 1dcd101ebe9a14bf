//! The service behind every peer: one worker that answers as cheaply as actix-web can.
//!
//! It stands under `/auth`, `/user` and `/chat`, because that is what the shipped configuration routes.

use std::{net::SocketAddr, path::PathBuf};

use actix_web::{
    App, Error, HttpRequest, HttpResponse, HttpServer,
    http::KeepAlive,
    web::{self, Bytes},
};
use actix_ws::Message;
use futures_util::StreamExt;

/// About 200 bytes, as small API answers are.
const HELLO: &str = r#"{"id":"019a0c55-7d3e-7c61-b1f0-5f2f8a0c9e11","username":"ann","display_name":"Ann Example","email":"ann@example.com","role":"member","verified":true,"created_at":"2026-01-31T12:00:00.000Z","rooms":12}"#;
const LARGE: usize = 100 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long, required = true)]
    tcp: Vec<SocketAddr>,
    #[arg(long)]
    unix: PathBuf,
}

/// Serves until it is stopped.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let large = Bytes::from(vec![b'x'; LARGE]);
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(large.clone())).route("/health", web::get().to(health)).service(
            web::scope("/{service:auth|user|chat}")
                .route("/hello", web::get().to(hello))
                .route("/large", web::get().to(large_answer))
                .route("/upload", web::post().to(upload))
                .route("/ws", web::get().to(echo)),
        )
    })
    .workers(1)
    .keep_alive(KeepAlive::Timeout(std::time::Duration::from_secs(75)))
    .shutdown_timeout(1)
    .bind(args.tcp.as_slice())?
    .bind_uds(&args.unix)?;
    // The peers' workers run as other users.
    std::fs::set_permissions(&args.unix, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    Ok(actix_web::rt::System::new().block_on(server.run())?)
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#)
}

async fn hello() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(HELLO)
}

async fn large_answer(body: web::Data<Bytes>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/octet-stream").body(body.as_ref().clone())
}

async fn upload(mut body: web::Payload) -> Result<HttpResponse, Error> {
    let mut bytes = 0;
    while let Some(piece) = body.next().await {
        bytes += piece?.len();
    }
    Ok(HttpResponse::Ok().content_type("application/json").body(format!(r#"{{"bytes":{bytes}}}"#)))
}

async fn echo(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    actix_web::rt::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            let sent = match message {
                Message::Text(text) => session.text(text).await,
                Message::Binary(bytes) => session.binary(bytes).await,
                Message::Ping(bytes) => session.pong(&bytes).await,
                Message::Close(_) => break,
                _ => Ok(()),
            };
            if sent.is_err() {
                return;
            }
        }
        // The other side may be gone already: there is nobody left to tell.
        let _ = session.close(None).await;
    });
    Ok(response)
}
