//! Binds and serves: the API, `/health`, and metrics on a port of their own.

use std::{any::Any, path::Path, sync::Arc, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, dev::Extensions, web};
use anyhow::Context as _;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_actix_web::{AppExt as _, service_config::ServiceConfig};

use super::{answer, describe::Description, input, request};
use crate::{config::Listen, health::Health};

/// Runs for every accepted connection, with the socket and the connection's data, for socket options.
pub type OnConnect = fn(&dyn Any, &mut Extensions);

/// How long requests in flight may take to finish once the service is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// An HTTP service, ready to run.
pub struct Service {
    pub name: &'static str,
    /// The path prefix of its API, `/auth`: its OpenAPI document and pages stand below it.
    pub prefix: &'static str,
    pub listen: Listen,
    /// Where `/metrics` is served; `None` for nowhere.
    pub metrics: Option<Listen>,
    pub workers: usize,
    /// Title, description and tags of the OpenAPI document; paths are collected from the routes.
    pub document: OpenApi,
    pub health: Health,
    /// The service registers its own metrics here, the request metrics join them.
    pub registry: Registry,
    pub on_connect: Option<OnConnect>,
}

impl Service {
    /// Serves until `shutdown`, then finishes what is in flight and returns. `routes` is called once per worker.
    ///
    /// # Errors
    /// An address cannot be listened on, or the server fails.
    pub async fn run<R>(self, routes: R, shutdown: CancellationToken) -> anyhow::Result<()>
    where
        R: Fn(&mut ServiceConfig<'_>) + Clone + Send + 'static,
    {
        let health = Arc::new(self.health);
        let metrics =
            request::Metrics::register(&self.registry).context("registering the request metrics")?;
        let (document, prefix, on_connect) = (self.document, self.prefix, self.on_connect);
        let mut server = HttpServer::new(move || {
            // The description first: the API's scope would take everything below its prefix.
            let (app, document) = App::new()
                .configure(|config| super::describe::routes(config, prefix))
                .into_utoipa_app()
                .openapi(document.clone())
                .configure(routes.clone())
                .split_for_parts();
            let description = web::Data::new(Description::new(&document));
            app.app_data(web::Data::from(Arc::clone(&health)))
                .app_data(web::Data::new(metrics.clone()))
                .app_data(description)
                .configure(input::refusals)
                .route("/health", web::get().to(answer::health))
                .route("/health/live", web::get().to(answer::alive))
                .default_service(web::to(answer::nothing_here))
                .wrap(actix_web::middleware::from_fn(request::around))
        })
        .workers(self.workers)
        .shutdown_timeout(DRAIN.as_secs())
        // Longer than the gateway keeps an idle connection: it closes first, so no request meets a closing socket.
        .keep_alive(Duration::from_secs(75))
        .disable_signals();
        if let Some(hook) = on_connect {
            server = server.on_connect(hook);
        }
        server = match &self.listen {
            Listen::Tcp(address) => server.bind(address),
            Listen::Unix(path) => server.bind_uds(unused(path)?),
        }
        .with_context(|| format!("cannot listen on {}", self.listen))?;
        let server = server.run();
        tracing::info!(address = %self.listen, metrics = self.metrics.as_ref().map(tracing::field::display), "listening");

        let metrics_server = serve_metrics(self.metrics.as_ref(), self.registry)?;
        let handle = server.handle();
        tokio::spawn(async move {
            shutdown.cancelled().await;
            handle.stop(true).await;
        });
        let ended = server.await;
        if let Some(metrics_server) = metrics_server {
            metrics_server.stop(false).await;
        }
        ended.with_context(|| format!("{} stopped serving", self.name))
    }
}

/// A socket file that a killed process left behind is in the way of its successor.
fn unused(path: &Path) -> anyhow::Result<&Path> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => anyhow::bail!("another process listens on unix:{}", path.display()),
        Err(_) => match std::fs::remove_file(path) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                Err(why).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(path),
        },
    }
}

fn serve_metrics(
    listen: Option<&Listen>,
    registry: Registry,
) -> anyhow::Result<Option<actix_web::dev::ServerHandle>> {
    let Some(listen) = listen else { return Ok(None) };
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(registry.clone())).route("/metrics", web::get().to(metrics_page))
    })
    .workers(1)
    .disable_signals();
    let server = match listen {
        Listen::Tcp(address) => server.bind(address),
        Listen::Unix(path) => server.bind_uds(unused(path)?),
    }
    .with_context(|| format!("cannot listen on {listen} for metrics"))?
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(Some(handle))
}

async fn metrics_page(registry: web::Data<Registry>) -> HttpResponse {
    let mut page = Vec::new();
    match TextEncoder::new().encode(&registry.gather(), &mut page) {
        Ok(()) => HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(page),
        Err(why) => HttpResponse::InternalServerError().body(why.to_string()),
    }
}
