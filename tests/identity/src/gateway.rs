//! As much of a gateway as services need to find each other: paths to services, and a switch per service.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;

use crate::Service;

/// What the gateway knows.
#[derive(Default)]
pub(crate) struct Table {
    servers: HashMap<&'static str, SocketAddr>,
    cut: Vec<&'static str>,
    /// Events for chat-svc, which is not there: taken and kept.
    told_chat: Vec<Value>,
}

pub(crate) type Shared = Arc<Mutex<Table>>;

impl Table {
    pub(crate) fn serve(&mut self, service: Service, address: SocketAddr) {
        self.servers.entry(service.prefix()).or_insert(address);
    }

    /// From here on requests for `service` meet a 503, until [`Table::mend`].
    pub(crate) fn cut(&mut self, service: Service) {
        self.cut.push(service.prefix());
    }

    pub(crate) fn mend(&mut self, service: Service) {
        self.cut.retain(|cut| *cut != service.prefix());
    }

    pub(crate) fn told_chat(&self) -> Vec<Value> {
        self.told_chat.clone()
    }
}

/// Listens on `port`; runs until its thread's system stops.
pub(crate) async fn run(port: u16, table: Shared) -> std::io::Result<()> {
    let client = reqwest::Client::new();
    HttpServer::new(move || {
        App::new()
            .app_data(web::Data::from(Arc::clone(&table)))
            .app_data(web::Data::new(client.clone()))
            .default_service(web::to(forward))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", port))?
    .run()
    .await
}

async fn forward(
    request: HttpRequest,
    body: web::Bytes,
    table: web::Data<Mutex<Table>>,
    client: web::Data<reqwest::Client>,
) -> HttpResponse {
    let prefix = request.path().split('/').nth(1).unwrap_or_default().to_owned();
    let server = {
        let mut table = table.lock().expect("no panic while held");
        if table.cut.iter().any(|cut| *cut == prefix) {
            None
        } else if prefix == "chat" {
            table.told_chat.extend(serde_json::from_slice::<Value>(&body).ok());
            return HttpResponse::NoContent().finish();
        } else {
            table.servers.get(prefix.as_str()).copied()
        }
    };
    let Some(server) = server else { return HttpResponse::ServiceUnavailable().finish() };
    let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).expect("a method");
    let mut forwarded = client.request(method, format!("http://{server}{}", request.uri())).body(body);
    for (name, value) in request.headers() {
        if name != "host" && name != "content-length" {
            forwarded = forwarded.header(name.as_str(), value.as_bytes());
        }
    }
    match forwarded.send().await {
        Ok(answer) => {
            let status = actix_web::http::StatusCode::from_u16(answer.status().as_u16()).expect("a status");
            HttpResponse::build(status)
                .content_type("application/json")
                .body(answer.bytes().await.unwrap_or_default())
        }
        Err(_) => HttpResponse::BadGateway().finish(),
    }
}
