//! The whole API of chat-svc, on one screen.

use irongate_shared::{problem, service::BearerToken};
use utoipa::OpenApi;
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use super::{attachment, events, live, member, message, room};

/// Everything needs a valid access token; who may do what in a room is decided in `room::rules`.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(
        scope("/chat")
            // live
            .service(live::open)
            // rooms
            .service(room::list::list)
            .service(room::create::create)
            .service(room::direct::direct)
            .service(room::show::show)
            .service(room::change::change)
            .service(room::delete::delete)
            // who is in them
            .service(member::list::list)
            .service(member::presence::presence)
            .service(member::join::join)
            .service(member::leave::leave)
            .service(member::put::put)
            .service(member::remove::remove)
            .service(member::bans::list)
            .service(member::bans::ban)
            .service(member::bans::unban)
            .service(member::mutes::mute)
            .service(member::mutes::unmute)
            // what is said in them
            .service(message::list::list)
            .service(message::send::send)
            .service(message::edit::edit)
            .service(message::delete::delete)
            .service(message::react::react)
            .service(message::react::unreact)
            .service(message::read::read)
            .service(message::search::search)
            .service(message::unread::unread)
            // files in it
            .service(attachment::upload::upload)
            .service(attachment::show::show)
            .service(attachment::show::head)
            // from services
            .service(events::take),
    );
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Irongate chat-svc",
        description = "Rooms and messages. Live events come over the WebSocket at /chat/ws (docs/chat-protocol.md). Errors are problem documents (RFC 9457); times are RFC 3339 UTC; lists are pages with a cursor.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(problem::Document)),
    modifiers(&BearerToken),
    tags(
        (name = "live", description = "The WebSocket"),
        (name = "rooms", description = "Finding, making and changing rooms"),
        (name = "members", description = "Who is in a room, and in what role"),
        (name = "messages", description = "What is said"),
        (name = "attachments", description = "Files in messages"),
        (name = "services", description = "What other services tell"),
    ),
)]
struct Document;

pub(crate) fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
