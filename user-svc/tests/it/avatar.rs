//! Pictures, and taking one's data along.

use irongate_test_identity::{Answer, Installation, json, on_both_databases};

/// A red PNG of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";

async fn put(app: &Installation, session: &irongate_test_identity::SignedIn, file: Vec<u8>) -> Answer {
    let request = app.client.put(app.url("/user/me/avatar", 0)).bearer_auth(&session.access).body(file);
    Answer::of("PUT /user/me/avatar", request.send().await.unwrap()).await
}

on_both_databases! {
    async fn a_picture_is_stored_shown_and_removed(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;

        put(&app, &ann, PNG.to_vec()).await.expect(204);

        let me = app.get("/user/me").by(&ann).send().await.expect(200).body;
        let address = me["avatar_url"].as_str().unwrap();
        let picture = app.get(address).send().await.expect(200);
        assert_eq!(picture.header("content-type"), Some("image/jpeg"));
        assert_eq!(picture.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(picture.header("x-content-type-options"), Some("nosniff"));
        let export = app.get("/user/me/export").by(&ann).send().await.expect(200);
        assert_eq!(export.body["account"], me);
        assert!(export.body["avatar"].as_str().unwrap().starts_with("/9j/"), "a JPEG in base64");
        assert!(export.header("content-disposition").unwrap().starts_with("attachment"));

        app.delete("/user/me/avatar").by(&ann).send().await.expect(204);
        app.get(address).send().await.expect(404);
        assert_eq!(app.get("/user/me").by(&ann).send().await.body["avatar_url"], json!(null));

        put(&app, &ann, PNG.to_vec()).await.expect(204);
        app.get(address).send().await.expect(200);
        app.delete("/user/me").by(&ann).send().await.expect(204);
        app.get(address).send().await.expect(404);
    }

    async fn what_is_no_picture_is_refused(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;

        put(&app, &ann, b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>".to_vec()).await.expect(415);
        put(&app, &ann, Vec::new()).await.expect(415);
        put(&app, &ann, vec![0; (5 << 20) + 1]).await.expect(413);
        app.get("/user/avatars/nobody/x.jpg").send().await.expect(404);
    }
}
