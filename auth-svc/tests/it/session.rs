//! Signing out, and the list of sessions.

use irongate_test_identity::{Installation, json, on_both_databases};

on_both_databases! {
    async fn once_sign_out_has_answered_no_service_accepts_the_token(app: Installation) {
        app.register("ann").await;
        let (session, other) = (app.sign_in("ann").await, app.sign_in("ann").await);
        assert_eq!(app.accepts(&session).await, 200);

        app.post("/auth/logout").by(&session).send().await.expect(204);

        assert_eq!(app.accepts(&session).await, 401);
        app.get("/auth/sessions").by(&session).send().await.expect(401);
        app.refresh(&session.refresh).await.expect(401);
        assert_eq!(app.accepts(&other).await, 200);
    }

    async fn a_browser_whose_access_token_is_gone_signs_out_by_its_cookie(app: Installation) {
        app.register("ann").await;
        let login = json!({ "username": "ann", "password": "correct horse battery staple" });
        let login = app.post("/auth/login").json(login).send().await.expect(200);
        let cookie = login.cookie().unwrap();

        let answer = app.post("/auth/logout").header("cookie", cookie).send().await.expect(204);

        assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
        app.post("/auth/refresh").header("cookie", cookie).send().await.expect(401);
        assert_eq!(app.accepts(&login.signed_in()).await, 401);
    }

    async fn signing_out_twice_or_without_a_session_is_no_mistake(app: Installation) {
        app.post("/auth/logout").send().await.expect(204);
        app.post("/auth/logout").bearer("nonsense").send().await.expect(204);
    }

    async fn the_list_shows_where_one_is_signed_in(app: Installation) {
        app.register("ann").await;
        app.register("bob").await;
        app.sign_in("bob").await;
        let login = json!({ "username": "ann", "password": "correct horse battery staple", "refresh": "body" });
        let phone = app.post("/auth/login").json(login).header("user-agent", "Phone/1").header("x-forwarded-for", "6.6.6.6, 203.0.113.9");
        phone.send().await.expect(200);
        let laptop = app.sign_in("ann").await;

        let list = app.get("/auth/sessions").by(&laptop).send().await.expect(200).body;

        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!((&items[0]["current"], &items[0]["ip"]), (&json!(true), &json!("127.0.0.1")));
        assert_eq!((&items[1]["current"], &items[1]["ip"]), (&json!(false), &json!("203.0.113.9")));
        assert_eq!(items[1]["user_agent"], "Phone/1");
        assert_eq!(list["next_cursor"], json!(null));
    }

    async fn the_list_comes_in_pages(app: Installation) {
        app.register("ann").await;
        let mut session = app.sign_in("ann").await;
        for _ in 0..4 {
            session = app.sign_in("ann").await;
        }

        let mut seen = Vec::new();
        let mut path = "/auth/sessions?limit=2".to_owned();
        loop {
            let page = app.get(&path).by(&session).send().await.expect(200).body;
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/auth/sessions?limit=2&cursor={cursor}");
        }

        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
        for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=%00", "page=2"] {
            let status = app.get(&format!("/auth/sessions?{query}")).by(&session).send().await.status;
            assert!(matches!(status, 400 | 422), "{query}: {status}");
        }
    }

    async fn a_session_is_ended_from_another(app: Installation) {
        app.register("ann").await;
        app.register("bob").await;
        let (lost, here, bob) = (app.sign_in("ann").await, app.sign_in("ann").await, app.sign_in("bob").await);
        let list = app.get("/auth/sessions").by(&lost).send().await.expect(200).body;
        let current = list["items"].as_array().unwrap().iter().find(|item| item["current"] == true).unwrap().clone();
        let path = format!("/auth/sessions/{}", current["id"].as_str().unwrap());

        app.delete(&path).by(&bob).send().await.expect(404);
        app.delete(&path).by(&here).send().await.expect(204);

        assert_eq!((app.accepts(&lost).await, app.accepts(&here).await), (401, 200));
        app.refresh(&lost.refresh).await.expect(401);
        app.delete(&path).by(&here).send().await.expect(404);
        app.delete("/auth/sessions/nonsense").by(&here).send().await.expect(404);
    }

    async fn signing_out_everywhere_ends_rotated_descendants_too(app: Installation) {
        app.register("ann").await;
        app.register("bob").await;
        let bob = app.sign_in("bob").await;
        let first = app.sign_in("ann").await;
        let rotated = app.refresh(&first.refresh).await.expect(200).signed_in();
        let here = app.sign_in("ann").await;

        app.post("/auth/logout-all").by(&here).json(json!({ "keep_current": true })).send().await.expect(204);
        assert_eq!((app.accepts(&rotated).await, app.accepts(&here).await), (401, 200));
        app.refresh(&rotated.refresh).await.expect(401);

        app.post("/auth/logout-all").by(&here).send().await.expect(204);
        assert_eq!((app.accepts(&here).await, app.accepts(&bob).await), (401, 200));
        app.refresh(&here.refresh).await.expect(401);
        assert_eq!(app.accepts(&app.sign_in("ann").await).await, 200, "a later sign-in is another session");
    }
}
