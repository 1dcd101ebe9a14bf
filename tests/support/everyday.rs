//! What people do with the system, a little of everything, so that every table is written and read.

use irongate_test_identity::app_code;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PASSWORD, Person, Site};

/// What nobody else may learn, with a name for the message of a failure.
pub(crate) type Secrets = Vec<(&'static str, String)>;

/// Two people who have just registered use the application; gives what must stay between them and the system.
pub(crate) async fn everyday(site: &impl Site, names: [&str; 2]) -> Secrets {
    let mut secrets = vec![("the password", PASSWORD.to_owned())];
    let mut people = Vec::new();
    for name in names {
        let person = Person::new(site, name);
        person.register(site).await.expect(201);
        people.push(person.sign_in(site).await);
    }
    let [ann, bob] = [&people[0], &people[1]];
    secrets.extend(people.iter().map(|person| ("an access token", person.token.clone())));

    profile(site, ann, bob).await;
    chat(site, ann, bob).await;
    secrets.extend(sessions(site, ann).await);
    secrets.extend(second_factor(site, ann).await);
    secrets
}

async fn profile(site: &impl Site, ann: &Person, bob: &Person) {
    ann.send(site, Method::PATCH, "/user/me", Some(&json!({"display_name": "Ann Lee"}))).await.expect(200);
    ann.get(site, "/user/me").await.expect(200);
    ann.get(site, "/user/me/export").await.expect(200);
    let found = ann.get(site, &format!("/user/users?search={}", bob.name)).await.expect(200).json();
    assert_eq!(found["items"][0]["username"], bob.name, "{found}");
    ann.get(site, &format!("/user/users/{}", bob.name)).await.expect(200);
}

async fn chat(site: &impl Site, ann: &Person, bob: &Person) {
    let room = ann.create_room(site, &format!("{}'s harbour", ann.name)).await;
    bob.join(site, &room).await;
    let (mut anns, mut bobs) = (ann.chat(site).await, bob.chat(site).await);
    anns.join(&room, None).await;
    bobs.join(&room, None).await;
    let seq = anns.say(&room, &format!("Ahoy @{}", bob.name)).await;
    bobs.hears(&format!("Ahoy @{}", bob.name)).await;
    let message = format!("/chat/rooms/{room}/messages/{seq}");
    let none = json!({});
    ann.send(site, Method::PATCH, &message, Some(&json!({"body": "Ahoy there"}))).await.expect(204);
    bob.send(site, Method::PUT, &format!("{message}/reactions/👍"), Some(&none)).await.expect(204);
    bob.send(site, Method::PUT, &format!("/chat/rooms/{room}/read"), Some(&json!({"seq": seq})))
        .await
        .expect(204);
    let found = bob.get(site, "/chat/search?q=there").await.expect(200).json();
    assert_eq!(found["items"][0]["seq"], seq, "{found}");
    bob.get(site, "/chat/unread").await.expect(200);
    bob.get(site, "/chat/rooms").await.expect(200);
    bob.get(site, &format!("/chat/rooms/{room}/members")).await.expect(200);
    let bobs_id = bob.get(site, "/user/me").await.json()["id"].as_str().unwrap().to_owned();
    ann.post(site, "/chat/dms", &json!({"user": bobs_id})).await;
    ann.send(site, Method::DELETE, &message, None).await.expect(204);
    let ban = format!("/chat/rooms/{room}/bans/{bobs_id}");
    ann.send(site, Method::PUT, &ban, Some(&json!({"reason": "spam"}))).await.expect(204);
    ann.send(site, Method::DELETE, &ban, None).await.expect(204);
}

/// A session whose refresh token comes in the body; a password mistyped, and sent where it does not belong.
async fn sessions(site: &impl Site, ann: &Person) -> Secrets {
    let granted = login(site, ann, PASSWORD).await;
    let (token, refresh) = (text(&granted["access_token"]), text(&granted["refresh_token"]));
    let renewed =
        ann.post(site, "/auth/refresh", &json!({"refresh_token": refresh})).await.expect(200).json();
    ann.get(site, "/auth/sessions").await.expect(200);
    ann.get(site, "/auth/audit").await.expect(200);
    let wrong = "correct horse battery stable";
    let login = json!({"username": ann.name, "password": wrong});
    ann.post(site, "/auth/login", &login).await.expect(401);
    ann.post(site, "/auth/login", &json!({"username": {"password": wrong}, "password": 1})).await.expect(422);
    ann.post(site, "/auth/refresh", &json!({"refresh_token": "none-that-was-ever-granted"}))
        .await
        .expect(401);
    ann.get(site, &format!("/nothing/here?access_token={token}")).await.expect(404);
    vec![
        ("an access token", token),
        ("a refresh token", refresh),
        ("a renewed access token", text(&renewed["access_token"])),
        ("a renewed refresh token", text(&renewed["refresh_token"])),
        ("a mistyped password", wrong.to_owned()),
    ]
}

async fn second_factor(site: &impl Site, ann: &Person) -> Secrets {
    let setup = ann.post(site, "/auth/mfa/totp", &json!({})).await.expect(200).json();
    let secret = text(&setup["secret"]);
    let code = app_code(&secret, irongate_shared::clock::Clock::system().now().as_secs());
    let confirmed = ann.post(site, "/auth/mfa/totp/confirm", &json!({"code": code})).await.expect(200).json();
    let recovery = text(&confirmed["recovery_codes"][0]);
    let asked = login(site, ann, PASSWORD).await;
    let ticket = text(&asked["mfa_token"]);
    let answer = json!({"mfa_token": ticket, "code": recovery});
    ann.post(site, "/auth/mfa/verify", &answer).await.expect(200);
    vec![
        ("the second factor's secret", secret),
        ("a code of the second factor", code),
        ("a recovery code", recovery),
        ("the ticket for the second factor", ticket),
    ]
}

async fn login(site: &impl Site, person: &Person, password: &str) -> Value {
    let login = json!({"username": person.name, "password": password, "refresh": "body"});
    person.post(site, "/auth/login", &login).await.expect(200).json()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
