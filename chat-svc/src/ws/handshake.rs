//! Who may open a WebSocket. Every refusal is a plain HTTP answer before the upgrade.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, get, http::header, web};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use irongate_shared::{
    problem::{Problem, kind},
    service::refusals::{Always, MayRefuse, SignedIn},
    token::{Identity, TokenError},
};
use tokio_util::sync::CancellationToken;

use super::{
    connection,
    frames::{Hello, millis},
    wire::Wire,
    worker::Worker,
};
use crate::{
    census::{Census, NoPlace, Place},
    room::{Profile, frame},
};

/// The one protocol that is spoken.
const PROTOCOL: &str = "chat.v1.json";

/// Before the token among the offered protocols: a page's script can set no other header.
const BEARER: &str = "base64url.bearer.chat.";

/// Bytes of the largest frame, and of the largest message in several frames.
pub(super) const LARGEST: usize = 64 << 10;

/// What the handshake checks against; the same for all workers.
pub(crate) struct Door {
    pub allowed_origins: Vec<String>,
    pub census: Arc<Census>,
    /// Cancelled when this replica stops.
    pub drain: CancellationToken,
    /// This replica's name.
    pub replica: String,
}

/// Opens the WebSocket.
///
/// Offer the protocols `chat.v1.json` and `base64url.bearer.chat.<access token in base64url>`; clients that can set
/// headers may send `Authorization` instead of the second. See docs/chat-protocol.md.
#[utoipa::path(
    tag = "live",
    security(("bearer" = [])),
    responses(
        (status = 101, description = "The WebSocket is open"),
        SignedIn, MayRefuse, Always,
    )
)]
#[get("/ws")]
pub(crate) async fn open(
    request: HttpRequest,
    payload: web::Payload,
    worker: web::Data<Rc<Worker>>,
    door: web::Data<Door>,
) -> Result<HttpResponse, Problem> {
    let worker: Rc<Worker> = Rc::clone(&worker);
    let offered = Offered::of(&request);
    let result = admit(&request, &offered, &worker, &door).await;
    let label = match &result {
        Ok(_) => "ok",
        Err(problem) => problem.kind.slug,
    };
    worker.chat.metrics.handshakes.with_label_values(&[label]).inc();
    let (identity, place) = result?;

    // RFC 6455 §4.2.2: a client that asked for no protocol must not get one.
    let protocol = offered.ours.then_some(PROTOCOL);
    let (response, wire) = Wire::open(&request, payload, protocol, LARGEST)?;

    if let Err(why) = worker.chat.meet(&identity).await {
        // Names are for showing; the connection does not wait for them.
        tracing::warn!(reason = ?why, "a profile could not be written down");
    }

    let socket = worker.enter(Arc::clone(&identity), Rc::clone(&wire.outbox));
    socket.outbox.say(hello(&identity, &door.replica, worker.heartbeat));
    actix_web::rt::spawn(connection::serve(worker, socket, place, wire));
    Ok(response)
}

async fn admit(
    request: &HttpRequest,
    offered: &Offered,
    worker: &Worker,
    door: &Door,
) -> Result<(Arc<Identity>, Place), Problem> {
    if door.drain.is_cancelled() {
        return Err(Problem::new(kind::UNAVAILABLE)
            .detail("This replica is stopping; another takes over.")
            .retry_after(Duration::from_secs(1)));
    }
    if offered.any && !offered.ours {
        return Err(
            Problem::new(kind::MALFORMED_REQUEST).detail("Offer the WebSocket protocol chat.v1.json.")
        );
    }
    // SECURITY: cross-site WebSocket hijacking: browsers send the page's origin, and nothing else stops them.
    if let Some(origin) = text(request, &header::ORIGIN)
        && !origin_fits(request, door, origin)
    {
        return Err(Problem::new(kind::FORBIDDEN).detail("This origin may not open a WebSocket here."));
    }
    let token = match &offered.token {
        Some(token) => token,
        None => bearer(request).ok_or(TokenError::Missing)?,
    };
    let identity = worker.verifier.verify(token).await?;
    let limits = &worker.chat.limits;
    let place = door.census.enter(identity.user, limits.sockets, limits.sockets_per_user).map_err(
        |full| match full {
            NoPlace::Replica => Problem::new(kind::UNAVAILABLE)
                .detail("This replica has as many connections as it takes.")
                .retry_after(Duration::from_secs(2)),
            NoPlace::User => Problem::new(kind::TOO_MANY_REQUESTS)
                .detail("You have as many connections open as one user may. Close one.")
                .retry_after(Duration::from_secs(30)),
        },
    )?;
    Ok((identity, place))
}

fn hello(identity: &Identity, replica: &str, heartbeat: Duration) -> bytestring::ByteString {
    frame(&Hello {
        conn: &uuid::Uuid::now_v7().to_string(),
        user: identity.user,
        hb: millis(heartbeat),
        exp: identity.expires_at.as_secs(),
        max: LARGEST,
        srv: replica,
        v: 1,
        users: [profile_of(identity)].into_iter().collect(),
    })
}

fn profile_of(identity: &Identity) -> Profile {
    Profile {
        id: identity.user,
        username: identity.username.clone(),
        display_name: identity.display_name.clone(),
        avatar_url: identity.avatar_url.clone(),
    }
}

/// What stands in `Sec-WebSocket-Protocol`.
#[derive(Default)]
struct Offered {
    any: bool,
    ours: bool,
    token: Option<String>,
}

impl Offered {
    fn of(request: &HttpRequest) -> Self {
        let mut offered = Self::default();
        let values = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
        let words = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        for word in words.map(str::trim) {
            offered.any = true;
            offered.ours |= word == PROTOCOL;
            if let Some(encoded) = word.strip_prefix(BEARER) {
                let decoded = BASE64_URL_SAFE_NO_PAD.decode(encoded).ok();
                // What cannot be read is no token; verifying says so.
                offered.token =
                    Some(decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default());
            }
        }
        offered
    }
}

/// The gateway's origin, a configured one, or the page's own host.
fn origin_fits(request: &HttpRequest, door: &Door, origin: &str) -> bool {
    if door.allowed_origins.iter().any(|allowed| allowed == origin) {
        return true;
    }
    let host = text(request, &header::HeaderName::from_static("x-forwarded-host"))
        .or_else(|| text(request, &header::HOST));
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == origin_host
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = text(request, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start())
}

fn text<'a>(request: &'a HttpRequest, name: &header::HeaderName) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}
