//! The whole API of user-svc, on one screen.

use irongate_shared::{account::User, problem, service::BearerToken};
use utoipa::OpenApi;
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use super::{admin, avatar, events, me, register, rules, users};

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(
        scope("/user")
            // anybody
            .service(register::register)
            .service(rules::rules)
            .service(avatar::get)
            // the signed-in user
            .service(me::show::show)
            .service(me::update::update)
            .service(me::delete::delete)
            .service(me::export::export)
            .service(avatar::put)
            .service(avatar::delete)
            // about others
            .service(users::list::list)
            .service(users::show::show)
            .service(users::lookup::lookup)
            // administrators
            .service(admin::list::list)
            .service(admin::create::create)
            .service(admin::show::show)
            .service(admin::update::update)
            .service(admin::delete::delete)
            // services
            .service(events::take),
    );
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Irongate user-svc",
        description = "Registration and profiles. Errors are problem documents (RFC 9457); times are RFC 3339 UTC; lists are pages with a cursor.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(problem::Document, User)),
    modifiers(&BearerToken),
    tags(
        (name = "registration", description = "Becoming a user"),
        (name = "me", description = "The signed-in user"),
        (name = "users", description = "Other users"),
        (name = "administration", description = "What administrators do with accounts"),
        (name = "services", description = "Between services"),
    ),
)]
struct Document;

pub(crate) fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
