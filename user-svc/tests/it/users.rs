//! What users see of each other.

use irongate_test_identity::{Installation, SignedIn, json, on_both_databases};

async fn names(app: &Installation, by: &SignedIn, query: &str) -> Vec<String> {
    let page = app.get(&format!("/user/users?{query}")).by(by).send().await.expect(200).body;
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["username"].as_str().unwrap().to_owned())
        .collect()
}

async fn register_named(app: &Installation, username: &str, display_name: &str) {
    let registration = json!({
        "username": username,
        "email": format!("{username}@example.org"),
        "password": "correct horse battery staple",
        "display_name": display_name,
    });
    app.post("/user/register").json(registration).send().await.expect(201);
}

on_both_databases! {
    async fn users_are_found_by_the_beginning_of_any_word(app: Installation) {
        register_named(&app, "ann", "Änne Lee").await;
        register_named(&app, "bob_2", "Bob 100% Leeds").await;
        register_named(&app, "Carla", "Carla").await;
        let ann = app.sign_in("ann").await;

        assert_eq!(names(&app, &ann, "").await, ["ann", "bob_2", "Carla"]);
        assert_eq!(names(&app, &ann, "search=LEE").await, ["ann", "bob_2"]);
        assert_eq!(names(&app, &ann, "search=%C3%84N").await, ["ann"]);
        assert_eq!(names(&app, &ann, "search=car").await, ["Carla"]);
        assert_eq!(names(&app, &ann, "search=arla").await, [""; 0]);
        assert_eq!(names(&app, &ann, "search=bob_").await, ["bob_2"]);
        assert_eq!(names(&app, &ann, "search=%25").await, [""; 0], "a wildcard is a letter like any other");
        assert_eq!(names(&app, &ann, "search=100%25").await, ["bob_2"]);
    }

    async fn the_list_comes_in_pages(app: Installation) {
        for name in ["eve", "ann", "dan", "bob", "cat"] {
            app.register(name).await;
        }
        let ann = app.sign_in("ann").await;

        let first = app.get("/user/users?limit=2").by(&ann).send().await.expect(200).body;
        let second = format!("limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
        let third = app.get(&format!("/user/users?{second}")).by(&ann).send().await.expect(200).body;
        let last = format!("limit=2&cursor={}", third["next_cursor"].as_str().unwrap());

        assert_eq!(names(&app, &ann, &second).await, ["cat", "dan"]);
        assert_eq!(names(&app, &ann, &last).await, ["eve"]);
    }

    async fn a_profile_shows_what_is_public(app: Installation) {
        let bob = app.register("bob").await;
        app.register("ann").await;
        let ann = app.sign_in("ann").await;

        let profile = app.get("/user/users/BOB").by(&ann).send().await.expect(200).body;

        assert_eq!(
            profile,
            json!({ "id": bob["id"], "username": "bob", "display_name": "bob", "bio": "", "avatar_url": null, "created_at": bob["created_at"] })
        );
        app.get("/user/users/nobody").by(&ann).send().await.expect(404);
        app.get("/user/users/bob").send().await.expect(401);
        app.get("/user/users/b%00b").by(&ann).send().await.expect(400);
    }

    async fn ids_are_looked_up_in_one_go(app: Installation) {
        let (ann, bob) = (app.register("ann").await, app.register("bob").await);
        let session = app.sign_in("ann").await;
        let nobody = "018f6b1e-5d3c-7cc1-8a31-3f5f0a9c0b7d";

        let asked = json!({ "ids": [bob["id"], nobody, ann["id"], bob["id"]] });
        let found = app.post("/user/lookup").by(&session).json(asked).send().await.expect(200).body;

        let mut names: Vec<_> = found["items"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["ann", "bob"]);
        let too_many = vec![nobody; 501];
        app.post("/user/lookup").by(&session).json(json!({ "ids": too_many })).send().await.expect(422);
        app.post("/user/lookup").by(&session).json(json!({ "ids": ["x"] })).send().await.expect(422);
        app.post("/user/lookup").json(json!({ "ids": [] })).send().await.expect(401);
    }

    async fn the_service_describes_itself(app: Installation) {
        for prefix in ["/user", "/auth"] {
            let document = app.get(&format!("{prefix}/openapi.json")).send().await.expect(200).body;
            assert_eq!(document["openapi"], "3.1.0");
            let paths = document["paths"].as_object().unwrap();
            assert!(paths.keys().all(|path| path.starts_with(prefix)), "{:?}", paths.keys());
            app.get(&format!("{prefix}/docs")).send().await.expect(200);
        }
    }
}
