//! What happened to an account.

use irongate_test_identity::{Installation, json, on_both_databases};

on_both_databases! {
    async fn users_read_their_own_history_and_administrators_everybodys(app: Installation) {
        app.register("ann").await;
        app.register("bob").await;
        let wrong = json!({ "username": "ann", "password": "wrong password" });
        app.post("/auth/login").json(wrong).header("x-forwarded-for", "203.0.113.9").send().await.expect(401);
        let (gone, ann, _) = (app.sign_in("ann").await, app.sign_in("ann").await, app.sign_in("bob").await);
        app.post("/auth/logout").by(&gone).send().await.expect(204);

        let history = app.get("/auth/audit").by(&ann).send().await.expect(200).body;

        let events: Vec<_> = history["items"].as_array().unwrap().iter().map(|item| item["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["signed_out", "signed_in", "signed_in", "sign_in_failed"]);
        assert_eq!(history["items"][3]["ip"], "203.0.113.9");
        app.get("/auth/admin/audit").by(&ann).send().await.expect(403);
        app.get("/auth/audit?limit=1&cursor=x").by(&ann).send().await.expect(422);

        app.register_admin("boss").await;
        let root = app.sign_in("boss").await;
        let all = app.get("/auth/admin/audit").by(&root).send().await.expect(200).body;
        assert_eq!(all["items"].as_array().unwrap().len(), 6);
        let of_ann = format!("/auth/admin/audit?user={}&limit=2", ann.user["id"].as_str().unwrap());
        let page = app.get(&of_ann).by(&root).send().await.expect(200).body;
        let rest = format!("{of_ann}&cursor={}", page["next_cursor"].as_str().unwrap());
        assert_eq!(app.get(&rest).by(&root).send().await.expect(200).body["items"].as_array().unwrap().len(), 2);
    }
}
