//! Routes that ask for a valid access token, checked against keys and blacklist in a database as auth-svc keeps it.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use diesel::{
    Connection, RunQueryDsl, SqliteConnection,
    sql_types::{BigInt, Binary, Text},
};
use irongate_shared::token::Claims;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use crate::support::{Gateway, Service, until};

const USER: &str = "0197a000-0000-7000-8000-000000000001";
const OTHER: &str = "0197a000-0000-7000-8000-000000000002";
const SESSION: &str = "0197a000-0000-7000-8000-000000000003";

/// Stands in for auth-svc.
struct Tokens {
    key: EncodingKey,
    database: SqliteConnection,
}

impl Tokens {
    /// After the gateway's first token, which brings the schema.
    fn of(gateway: &Gateway) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let path = gateway.path("data/irongate.db");
        let mut database = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        diesel::sql_query("INSERT INTO signing_keys (kid, public_key, private_key, created_at_ms, expires_at_ms) VALUES ('k', ?, x'00', 0, ?)")
            .bind::<Binary, _>(pair.public_key().as_ref())
            .bind::<BigInt, _>(i64::MAX)
            .execute(&mut database)
            .unwrap();
        Self { key: EncodingKey::from_ed_der(pkcs8.as_ref()), database }
    }

    fn mint(&self, user: &str, role: &str, valid_for_s: i64) -> (String, String) {
        self.mint_for(user, role, "user chat", valid_for_s)
    }

    fn mint_for(&self, user: &str, role: &str, scope: &str, valid_for_s: i64) -> (String, String) {
        let now = jiff::Timestamp::now().as_second();
        let id = uuid::Uuid::now_v7().to_string();
        let claims = json!({
            "iss": "https://localhost:8443", "sub": user, "aud": Claims::AUDIENCE, "exp": now + valid_for_s, "iat": now,
            "nbf": now - 60, "jti": id, "sid": SESSION, "scope": scope, "roles": [role],
            "preferred_username": "ann", "name": "Ann",
        });
        (self.signed(&claims), id)
    }

    /// A service's, as client credentials give it.
    fn mint_for_service(&self, client: &str, scope: &str) -> String {
        let now = jiff::Timestamp::now().as_second();
        self.signed(&json!({
            "iss": "https://localhost:8443", "sub": client, "client_id": client, "aud": Claims::AUDIENCE, "exp": now + 600,
            "iat": now, "nbf": now - 60, "jti": uuid::Uuid::now_v7().to_string(), "scope": scope,
        }))
    }

    fn signed(&self, claims: &serde_json::Value) -> String {
        let header =
            Header { typ: Some(Claims::TYPE.into()), kid: Some("k".into()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    fn revoke(&mut self, id: &str) {
        diesel::sql_query("INSERT INTO revoked_tokens (kind, subject, not_before_ms, revoked_at_ms, expires_at_ms) VALUES ('token', ?, ?, 0, ?)")
            .bind::<Text, _>(id)
            .bind::<BigInt, _>(i64::MAX)
            .bind::<BigInt, _>(i64::MAX)
            .execute(&mut self.database)
            .unwrap();
    }
}

async fn ask(gateway: &Gateway, path: &str, token: &str) -> u16 {
    let request = gateway.client().get(gateway.url(path));
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    request.header("x-auth-subject", "evil").send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_route_may_ask_for_a_valid_token_and_a_role() {
    let service = Service::start().await;
    let gateway = Gateway::with(
        &[&service],
        "",
        "auth = \"required\"\n[[route]]\npath = \"/bosses\"\nupstream = \"api\"\nauth = \"required\"\nroles = \"admin\"\n\
         [[route]]\npath = \"/counted\"\nupstream = \"api\"\nauth = \"required\"\nrate = 1\nburst = 2\nrate_by = \"user\"\n",
    )
    .await;
    assert_eq!(ask(&gateway, "/api", "").await, 401);
    assert_eq!(ask(&gateway, "/api", "rubbish").await, 401);
    let mut tokens = Tokens::of(&gateway);
    let (token, id) = tokens.mint(USER, "user", 600);
    // A key this young may not be in the gateway's copy yet.
    until("the key to be known", || async { ask(&gateway, "/api", &token).await == 200 }).await;
    let got = service.requests();
    assert_eq!(got[0].fields("x-auth-subject"), [USER]);
    assert_eq!(got[0].field("x-auth-session"), Some(SESSION));
    assert_eq!(got[0].field("x-auth-roles"), Some("user"));

    assert_eq!(ask(&gateway, "/bosses", &token).await, 403);
    let (admin, _) = tokens.mint(OTHER, "admin", 600);
    assert_eq!(ask(&gateway, "/bosses", &admin).await, 200);
    assert_eq!(ask(&gateway, "/admin/api/state", &admin).await, 200, "the dashboard's API on the main port");
    assert_eq!(ask(&gateway, "/admin/api/state", &token).await, 403);
    let (expired, _) = tokens.mint(USER, "user", -60);
    assert_eq!(ask(&gateway, "/api", &expired).await, 401);

    // By user, not by address: one user's requests leave another's alone.
    assert_eq!(
        [ask(&gateway, "/counted", &token).await, ask(&gateway, "/counted", &token).await],
        [200, 200]
    );
    assert_eq!(ask(&gateway, "/counted", &token).await, 429);
    assert_eq!(ask(&gateway, "/counted", &admin).await, 200);

    tokens.revoke(&id);
    tokio::time::sleep(irongate_shared::token::REVOCATION_LAG * 2).await;
    assert_eq!(ask(&gateway, "/api", &token).await, 401, "a revoked token is refused at the edge");
    assert_eq!(ask(&gateway, "/api", &admin).await, 200);
}

#[tokio::test]
async fn a_route_may_ask_for_scopes_and_says_which() {
    let service = Service::start().await;
    let gateway = Gateway::with(
        &[&service],
        "",
        "auth = \"required\"\n[[route]]\npath = \"/reports\"\nupstream = \"api\"\nauth = \"required\"\n\
         scopes = [\"reports:read\", \"user\"]\n",
    )
    .await;
    assert_eq!(ask(&gateway, "/api", "rubbish").await, 401);
    let tokens = Tokens::of(&gateway);
    let (full, _) = tokens.mint_for(USER, "user", "user reports:read", 600);
    until("the key to be known", || async { ask(&gateway, "/reports", &full).await == 200 }).await;
    assert_eq!(service.requests()[0].field("x-auth-scopes"), Some("user reports:read"));

    let refusal = async |path: &str, token: &str| {
        let request = gateway.client().get(gateway.url(path));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let challenge =
            answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        let problem: serde_json::Value = answer.json().await.unwrap();
        (status, challenge.unwrap_or_default(), problem["type"].as_str().unwrap().to_owned())
    };
    let is = |status: u16, challenge: &str, kind: &str| {
        (status, format!("Bearer realm=\"irongate\"{challenge}"), format!("urn:irongate:problem:{kind}"))
    };
    let (narrow, _) = tokens.mint(USER, "user", 600);
    assert_eq!(
        refusal("/reports", &narrow).await,
        is(403, ", error=\"insufficient_scope\", scope=\"reports:read user\"", "scope-lacking")
    );
    // RFC 6750 §3.1: who showed nothing is not told of an error.
    assert_eq!(refusal("/reports", "").await, is(401, "", "token-required"));
    assert_eq!(refusal("/reports", "rubbish").await, is(401, ", error=\"invalid_token\"", "token-invalid"));

    // A service's token passes by its scopes, where some are asked for, and nowhere else.
    let reader = tokens.mint_for_service("reporter", "reports:read user");
    assert_eq!(ask(&gateway, "/reports", &reader).await, 200);
    let got = service.requests();
    assert_eq!(got.last().unwrap().fields("x-auth-subject"), ["reporter"]);
    assert_eq!(got.last().unwrap().field("x-auth-session"), None);
    assert_eq!(ask(&gateway, "/api", &reader).await, 401);
    assert_eq!(ask(&gateway, "/reports", &tokens.mint_for_service("other", "events:write")).await, 403);
}
