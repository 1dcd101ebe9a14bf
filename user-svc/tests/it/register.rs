//! Becoming a user.

use futures_util::future::join_all;
use irongate_test_identity::{Installation, Value, json, on_both_databases};

fn registration(username: &str, email: &str) -> Value {
    json!({ "username": username, "email": email, "password": "correct horse battery staple" })
}

on_both_databases! {
    async fn who_registers_is_a_user(app: Installation) {
        let mut registration = registration("Ann", "ann@example.org");
        registration["display_name"] = json!(" Ann Lee ");

        let answer = app.post("/user/register").json(registration).send().await.expect(201);

        assert_eq!(answer.header("etag"), Some("\"1\""));
        let user = answer.body;
        assert_eq!((&user["username"], &user["email"], &user["display_name"]), (&json!("Ann"), &json!("ann@example.org"), &json!("Ann Lee")));
        assert_eq!((&user["role"], &user["email_verified"], &user["avatar_url"], &user["bio"]), (&json!("user"), &json!(false), &json!(null), &json!("")));
        assert_eq!(user["created_at"].as_str().unwrap().len(), "2026-01-31T12:00:00.000Z".len());
    }

    async fn a_name_or_address_is_taken_once_however_it_is_written(app: Installation) {
        app.register("ann").await;
        let taken = async |name: &str, email: &str| {
            let answer = app.post("/user/register").json(registration(name, email)).send().await.expect(409);
            answer.body["errors"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };

        assert_eq!(taken("ANN", "other@example.org").await, ["username"]);
        assert_eq!(taken("bob", "ANN@example.ORG").await, ["email"]);
        assert_eq!(taken("Ann", "ann@example.org").await, ["email", "username"]);
    }

    async fn of_many_who_register_one_name_at_once_one_gets_it(app: Installation) {
        let mut app = app;
        let settings = irongate_test_identity::Setup::on(irongate_test_identity::Backend::Sqlite).user;
        app.add_user(settings).await;

        let racing = (0..20).map(|n| {
            app.post("/user/register").replica(n % 2).json(registration("ann", &format!("ann{n}@example.org"))).send()
        });
        let mut statuses: Vec<_> = join_all(racing).await.into_iter().map(|answer| answer.status).collect();

        statuses.sort_unstable();
        assert_eq!(statuses[0], 201, "{statuses:?}");
        assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    }

    async fn every_mistake_is_named_at_once(app: Installation) {
        let registration = json!({ "username": "a", "email": "nowhere", "password": "1234567", "display_name": "" });

        let answer = app.post("/user/register").json(registration).send().await.expect(422);

        let named: Vec<_> = answer.body["errors"].as_object().unwrap().keys().collect();
        assert_eq!(named, ["display_name", "email", "password", "username"]);
    }

    async fn passwords_that_everybody_tries_or_bcrypt_would_cut_are_refused(app: Installation) {
        let refused = async |password: &str| {
            let mut registration = registration("annabella", "annabella@example.org");
            registration["password"] = json!(password);
            let answer = app.post("/user/register").json(registration).send().await.expect(422);
            answer.body["errors"]["password"].is_array()
        };

        for password in ["password1", "Annabella", "annabella@example.org", &"x1".repeat(36), "aaaaaaaaaaaa"] {
            assert!(refused(password).await, "{password}");
        }
        let mut longest = registration("annabella", "annabella@example.org");
        longest["password"] = json!("x1".repeat(35) + "x");
        app.post("/user/register").json(longest).send().await.expect(201);
    }

    async fn reserved_names_are_for_nobody(app: Installation) {
        let answer = app.post("/user/register").json(registration("Admin", "a@example.org")).send().await.expect(422);

        assert_eq!(answer.body["errors"]["username"][0], "This username is reserved.");
    }

    async fn the_rules_are_there_to_read(app: Installation) {
        let rules = app.get("/user/rules").send().await.expect(200).body;

        assert_eq!(rules["username"], json!({ "min_length": 3, "max_length": 32, "pattern": "^[A-Za-z0-9](?:[A-Za-z0-9._\\-]*[A-Za-z0-9])?$" }));
        assert_eq!(rules["password"], json!({ "min_length": 8, "max_bytes": 71 }));
        assert_eq!(rules["display_name"], json!({ "max_length": 64 }));
    }

    async fn the_first_administrator_is_made_from_the_command_line(app: Installation) {
        let new = |password: &str| irongate_user_svc::NewAdmin {
            username: "admin".to_owned(),
            email: "admin@example.org".to_owned(),
            password: password.to_owned(),
        };

        let refused = irongate_user_svc::create_admin(&app.platform, new("short")).await.unwrap_err();
        irongate_user_svc::create_admin(&app.platform, new("correct horse battery staple")).await.unwrap();

        assert!(refused.to_string().contains("password: Use at least 8 characters."), "{refused}");
        let session = app.sign_in("admin").await;
        assert_eq!(session.user["role"], "admin");
    }
}
