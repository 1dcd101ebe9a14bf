//! Passkeys, made and used by a software authenticator as a browser would.

use std::time::Duration;

use irongate_test_identity::{Answer, Installation, SignedIn, Value, json, on_both_databases};
use passkey::{
    authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod},
    client::{Client, DefaultClientData},
    crypto::rust_crypto::RustCryptoBackend,
    types::{
        Passkey,
        ctap2::{Aaguid, Ctap2Error},
        webauthn::{CredentialCreationOptions, CredentialRequestOptions},
    },
};
use url::Url;

const ORIGIN: &str = "https://localhost:8443";

/// A finger on the sensor, always.
struct Finger;

#[async_trait::async_trait]
impl UserValidationMethod for Finger {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _: UiHint<'a, Passkey>,
        presence: bool,
        verification: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence, verification })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

/// A browser with one authenticator, which holds one passkey at the most.
struct Browser {
    client: Client<Option<Passkey>, Finger, RustCryptoBackend, public_suffix::PublicSuffixList, ()>,
    origin: Url,
}

impl Browser {
    fn new() -> Self {
        let mut authenticator = Authenticator::new(Aaguid::new_empty(), None, Finger, RustCryptoBackend);
        authenticator.set_make_credentials_with_signature_counter(true);
        let client = Client::new(authenticator).allows_insecure_localhost(true);
        Self { client, origin: Url::parse(ORIGIN).unwrap() }
    }

    /// The same passkey on another page.
    fn at(mut self, origin: &str) -> Self {
        self.origin = Url::parse(origin).unwrap();
        self
    }

    async fn create(&mut self, asked: &Value) -> Value {
        let options: CredentialCreationOptions =
            serde_json::from_value(json!({ "publicKey": asked["public_key"] })).unwrap();
        let made = self.client.register(&self.origin, options, DefaultClientData).await.unwrap();
        serde_json::to_value(made).unwrap()
    }

    async fn get(&mut self, asked: &Value) -> Value {
        let options: CredentialRequestOptions =
            serde_json::from_value(json!({ "publicKey": asked["public_key"] })).unwrap();
        let made = self.client.authenticate(&self.origin, options, DefaultClientData).await.unwrap();
        serde_json::to_value(made).unwrap()
    }

    fn count_back(&mut self) {
        self.client.authenticator_mut().store_mut().as_mut().unwrap().counter = Some(0);
    }
}

async fn begin(app: &Installation, by: &SignedIn) -> Value {
    app.post("/auth/passkeys/register/start").by(by).send().await.expect(200).body
}

async fn finish(app: &Installation, by: &SignedIn, asked: &Value, credential: &Value) -> Answer {
    let body = json!({ "ceremony": asked["ceremony"], "name": " My phone ", "credential": credential });
    app.post("/auth/passkeys/register/finish").by(by).json(body).send().await
}

/// Registers a passkey; the answer.
async fn register(app: &Installation, browser: &mut Browser, by: &SignedIn) -> Value {
    let asked = begin(app, by).await;
    let credential = browser.create(&asked).await;
    finish(app, by, &asked, &credential).await.expect(201).body
}

async fn ask(app: &Installation) -> Value {
    app.post("/auth/passkeys/login/start").json(json!({})).send().await.expect(200).body
}

async fn answer(app: &Installation, asked: &Value, credential: &Value) -> Answer {
    let body = json!({ "ceremony": asked["ceremony"], "credential": credential, "refresh": "body" });
    app.post("/auth/passkeys/login/finish").json(body).send().await
}

async fn challenge(app: &Installation) -> Value {
    let login = json!({ "username": "ann", "password": "correct horse battery staple", "refresh": "body" });
    app.post("/auth/login").json(login).send().await.expect(200).body
}

async fn ask_second(app: &Installation, challenge: &Value) -> Value {
    let waiting = json!({ "mfa_token": challenge["mfa_token"] });
    app.post("/auth/mfa/passkey/start").json(waiting).send().await.expect(200).body
}

async fn answer_second(app: &Installation, challenge: &Value, asked: &Value, credential: &Value) -> Answer {
    let passkey = json!({ "ceremony": asked["ceremony"], "credential": credential });
    let body = json!({ "mfa_token": challenge["mfa_token"], "passkey": passkey });
    app.post("/auth/mfa/verify").json(body).send().await
}

/// What happened to the account, the newest first.
async fn history(app: &Installation, by: &SignedIn) -> Vec<String> {
    let page = app.get("/auth/audit").by(by).send().await.expect(200).body;
    page["items"].as_array().unwrap().iter().map(|item| item["event"].as_str().unwrap().to_owned()).collect()
}

on_both_databases! {
    async fn a_passkey_signs_in_alone(app: Installation) {
        app.register("ann").await;
        let (mut browser, ann) = (Browser::new(), app.sign_in("ann").await);
        let made = register(&app, &mut browser, &ann).await;
        assert_eq!((&made["name"], &made["last_used_at"]), (&json!("My phone"), &json!(null)));

        let asked = ask(&app).await;
        let session = answer(&app, &asked, &browser.get(&asked).await).await.expect(200).signed_in();

        assert_eq!(app.accepts(&session).await, 200);
        assert_eq!(session.user["username"], "ann");
        app.refresh(&session.refresh).await.expect(200);
        let list = app.get("/auth/passkeys").by(&session).send().await.expect(200).body;
        assert_eq!((&list["items"][0]["id"], &list["next_cursor"]), (&made["id"], &json!(null)));
        assert!(list["items"][0]["last_used_at"].is_string());
        assert_eq!(history(&app, &session).await, ["signed_in", "passkey_added", "signed_in"]);
        let asked = ask(&app).await;
        let body = json!({ "ceremony": asked["ceremony"], "credential": browser.get(&asked).await });
        let in_browser = app.post("/auth/passkeys/login/finish").json(body).send().await.expect(200);
        assert!(in_browser.cookie().unwrap().starts_with("__Secure-refresh="));
    }

    async fn after_the_password_it_is_the_second_factor(app: Installation) {
        app.register("ann").await;
        let (mut browser, ann) = (Browser::new(), app.sign_in("ann").await);
        let made = register(&app, &mut browser, &ann).await;
        let codes = made["recovery_codes"].as_array().unwrap();

        let waiting = challenge(&app).await;
        assert_eq!(waiting["methods"], json!(["passkey", "recovery"]));
        let asked = ask_second(&app, &waiting).await;
        let credential = browser.get(&asked).await;
        let session = answer_second(&app, &waiting, &asked, &credential).await.expect(200).signed_in();

        assert_eq!(app.accepts(&session).await, 200);
        answer_second(&app, &waiting, &asked, &credential).await.expect(410);
        let lost = json!({ "mfa_token": challenge(&app).await["mfa_token"], "code": codes[0] });
        app.post("/auth/mfa/verify").json(lost).send().await.expect(200);
        let factors = app.get("/auth/mfa").by(&ann).send().await.expect(200).body;
        assert_eq!(factors, json!({ "totp": false, "passkeys": 1, "recovery_codes_left": 9 }));
        let neither = json!({ "mfa_token": challenge(&app).await["mfa_token"] });
        app.post("/auth/mfa/verify").json(neither).send().await.expect(422);
    }

    async fn another_users_passkey_is_no_second_factor(app: Installation) {
        let (mut anns, mut bobs) = (Browser::new(), Browser::new());
        for (name, browser) in [("ann", &mut anns), ("bob", &mut bobs)] {
            app.register(name).await;
            register(&app, browser, &app.sign_in(name).await).await;
        }
        let waiting = challenge(&app).await;

        // Bob's browser is tricked into answering Ann's challenge.
        let mut asked = ask_second(&app, &waiting).await;
        asked["public_key"]["allowCredentials"] = json!([]);
        let refused = answer_second(&app, &waiting, &asked, &bobs.get(&asked).await).await.expect(401);

        assert_eq!(refused.body["type"], "urn:irongate:problem:wrong-passkey");
        let alone = ask(&app).await;
        let credential = anns.get(&alone).await;
        answer_second(&app, &waiting, &alone, &credential).await.expect(410);
        assert_eq!(answer(&app, &alone, &credential).await.expect(200).signed_in().user["username"], "ann");
    }

    async fn a_ceremony_is_answered_once_and_in_time(app: Installation) {
        app.register("ann").await;
        let (mut browser, ann) = (Browser::new(), app.sign_in("ann").await);
        let asked = begin(&app, &ann).await;
        let credential = browser.create(&asked).await;
        finish(&app, &ann, &asked, &credential).await.expect(201);

        let again = finish(&app, &ann, &asked, &credential).await.expect(410);
        assert_eq!(again.body["type"], "urn:irongate:problem:ceremony-over");
        let asked = ask(&app).await;
        let credential = browser.get(&asked).await;
        answer(&app, &asked, &credential).await.expect(200);
        answer(&app, &asked, &credential).await.expect(410);

        let asked = ask(&app).await;
        let mut wrong = browser.get(&asked).await;
        let right = wrong.clone();
        wrong["response"]["signature"] = json!("MEUCIQ");
        answer(&app, &asked, &wrong).await.expect(401);
        answer(&app, &asked, &right).await.expect(410);

        let asked = ask(&app).await;
        let credential = browser.get(&asked).await;
        app.clock.advance(Duration::from_secs(301));
        answer(&app, &asked, &credential).await.expect(410);
        answer(&app, &json!({ "ceremony": "nonsense" }), &credential).await.expect(410);
    }

    async fn an_answer_made_for_another_origin_is_refused(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;
        let asked = begin(&app, &ann).await;
        let mut elsewhere = Browser::new().at("http://localhost:8443");
        let refused = finish(&app, &ann, &asked, &elsewhere.create(&asked).await).await.expect(422);
        assert!(refused.body["errors"]["credential"].is_array());

        let mut browser = Browser::new();
        register(&app, &mut browser, &ann).await;
        let mut browser = browser.at("http://localhost:8443");
        let asked = ask(&app).await;
        answer(&app, &asked, &browser.get(&asked).await).await.expect(401);
        let mut browser = browser.at("https://localhost:9443");
        let asked = ask(&app).await;
        answer(&app, &asked, &browser.get(&asked).await).await.expect(200);
    }

    async fn a_passkey_that_was_copied_is_noticed(app: Installation) {
        app.register("ann").await;
        let (mut browser, ann) = (Browser::new(), app.sign_in("ann").await);
        register(&app, &mut browser, &ann).await;
        for _ in 0..2 {
            let asked = ask(&app).await;
            answer(&app, &asked, &browser.get(&asked).await).await.expect(200);
        }

        browser.count_back();
        let asked = ask(&app).await;
        answer(&app, &asked, &browser.get(&asked).await).await.expect(401);

        assert_eq!(history(&app, &ann).await[0], "passkey_copied");
    }

    async fn a_deleted_passkey_signs_nobody_in(app: Installation) {
        app.register("ann").await;
        app.register("bob").await;
        let (mut browser, ann, bob) = (Browser::new(), app.sign_in("ann").await, app.sign_in("bob").await);
        let made = register(&app, &mut browser, &ann).await;
        let path = format!("/auth/passkeys/{}", made["id"].as_str().unwrap());
        let waiting = challenge(&app).await;
        let asked = ask_second(&app, &waiting).await;

        app.patch(&path).by(&bob).json(json!({ "name": "mine" })).send().await.expect(404);
        app.delete(&path).by(&bob).send().await.expect(404);
        app.patch(&path).by(&ann).json(json!({ "name": " " })).send().await.expect(422);
        let renamed = app.patch(&path).by(&ann).json(json!({ "name": "Old phone" })).send().await.expect(200);
        assert_eq!(renamed.body["name"], "Old phone");
        app.delete(&path).by(&ann).send().await.expect(204);

        answer_second(&app, &waiting, &asked, &browser.get(&asked).await).await.expect(401);
        let asked = ask(&app).await;
        answer(&app, &asked, &browser.get(&asked).await).await.expect(401);
        app.delete(&path).by(&ann).send().await.expect(404);
        assert_eq!(app.accepts(&app.sign_in("ann").await).await, 200, "the password is enough again");
        let factors = app.get("/auth/mfa").by(&ann).send().await.expect(200).body;
        assert_eq!(factors, json!({ "totp": false, "passkeys": 0, "recovery_codes_left": 0 }));
    }

    async fn making_and_deleting_one_takes_a_recent_sign_in(app: Installation) {
        app.register("ann").await;
        let (mut browser, ann) = (Browser::new(), app.sign_in("ann").await);
        let made = register(&app, &mut browser, &ann).await;
        let asked = begin(&app, &ann).await;
        app.register("bob").await;
        let bob = app.sign_in("bob").await;
        finish(&app, &bob, &asked, &Browser::new().create(&asked).await).await.expect(410);

        app.clock.advance(Duration::from_secs(3600));
        let old = app.refresh(&ann.refresh).await.expect(200).signed_in();

        let refused = app.post("/auth/passkeys/register/start").by(&old).send().await.expect(403);
        assert_eq!(refused.body["type"], "urn:irongate:problem:sign-in-again");
        app.delete(&format!("/auth/passkeys/{}", made["id"].as_str().unwrap())).by(&old).send().await.expect(403);
        app.post("/auth/mfa/recovery-codes").by(&old).send().await.expect(403);
        let asked = ask(&app).await;
        let recent = answer(&app, &asked, &browser.get(&asked).await).await.expect(200).signed_in();
        let codes = app.post("/auth/mfa/recovery-codes").by(&recent).send().await.expect(200).body;
        assert_eq!(codes["recovery_codes"].as_array().unwrap().len(), 10);
        begin(&app, &recent).await;
    }

    async fn a_locked_users_passkey_does_not_open(app: Installation) {
        let ann = app.register("ann").await;
        let (mut browser, session) = (Browser::new(), app.sign_in("ann").await);
        register(&app, &mut browser, &session).await;
        app.register_admin("boss").await;
        let boss = app.sign_in("boss").await;
        let path = format!("/user/admin/users/{}", ann["id"].as_str().unwrap());
        app.patch(&path).by(&boss).json(json!({ "locked": true })).send().await.expect(200);

        let asked = ask(&app).await;
        let status = answer(&app, &asked, &browser.get(&asked).await).await.status;

        assert!(matches!(status, 403 | 503), "{status}");
    }

    async fn two_processes_serve_one_ceremony(app: Installation) {
        let mut app = app;
        app.add_auth(irongate_test_identity::Setup::on(irongate_test_identity::Backend::Sqlite).auth).await;
        app.register("ann").await;
        let (mut browser, ann) = (Browser::new(), app.sign_in("ann").await);
        let asked = begin(&app, &ann).await;
        let body = json!({ "ceremony": asked["ceremony"], "name": "Phone", "credential": browser.create(&asked).await });
        app.post("/auth/passkeys/register/finish").replica(1).by(&ann).json(body).send().await.expect(201);

        let asked = ask(&app).await;
        let body = json!({ "ceremony": asked["ceremony"], "credential": browser.get(&asked).await });
        let both = futures_util::future::join_all((0..8).map(|n| {
            app.post("/auth/passkeys/login/finish").replica(n % 2).json(body.clone()).send()
        }));

        let mut statuses: Vec<_> = both.await.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 410, 410, 410, 410, 410, 410, 410]);
    }

    async fn nobody_fills_the_database_with_ceremonies(app: Installation) {
        let mut refused = None;
        for _ in 0..120 {
            let answer = app.post("/auth/passkeys/login/start").json(json!({})).send().await;
            if answer.status == 429 {
                refused = Some(answer);
                break;
            }
        }

        assert!(refused.unwrap().header("retry-after").is_some());
    }
}
