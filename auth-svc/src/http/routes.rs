//! The whole API of auth-svc, on one screen.

use irongate_shared::{account::User, problem, service::BearerToken};
use utoipa::OpenApi;
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use super::{audit, clients, email, events, keys, mfa, passkey, password, session};

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(
        scope("/auth")
            // anybody
            .service(session::login::login)
            .service(mfa::passkey::start)
            .service(mfa::verify::verify)
            .service(passkey::login::start)
            .service(passkey::login::finish)
            .service(password::forgot::forgot)
            .service(password::reset::reset)
            .service(email::verify::verify)
            .service(keys::jwks)
            // whoever holds a refresh token
            .service(session::refresh::refresh)
            .service(session::logout::logout)
            // the signed-in user
            .service(session::logout_all::logout_all)
            .service(session::list::list)
            .service(session::end::end)
            .service(password::change::change)
            .service(email::send::send)
            .service(mfa::show::show)
            .service(mfa::totp::begin)
            .service(mfa::totp::confirm)
            .service(mfa::totp::end)
            .service(mfa::recovery_codes::renew)
            .service(passkey::list::list)
            .service(passkey::register::start)
            .service(passkey::register::finish)
            .service(passkey::rename::rename)
            .service(passkey::end::end)
            .service(audit::own)
            // administrators
            .service(audit::all)
            // services
            .service(clients::token)
            .service(clients::introspect)
            .service(events::take),
    );
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Irongate auth-svc",
        description = "Sign in, tokens, sessions, revocation. Errors are problem documents (RFC 9457); times are RFC 3339 UTC; lists are pages with a cursor.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(problem::Document, User)),
    modifiers(&BearerToken),
    tags(
        (name = "session", description = "Signing in, staying signed in, signing out"),
        (name = "password", description = "Changing and resetting passwords"),
        (name = "email", description = "Showing that an address is one's own"),
        (name = "second factor", description = "Codes of an app, recovery codes"),
        (name = "passkeys", description = "Signing in without a password, or after it"),
        (name = "audit", description = "What happened to an account"),
        (name = "services", description = "Between services"),
        (name = "keys", description = "What tokens are verified with"),
    ),
)]
struct Document;

pub(crate) fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
