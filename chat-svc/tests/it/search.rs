//! Finding messages again.

use serde_json::{Value, json};

use crate::support::{User, on_both};

/// The bodies that a search finds, in its order.
async fn found(user: &User, query: &str) -> Vec<String> {
    bodies(&page(user, query).await)
}

async fn page(user: &User, query: &str) -> Value {
    user.get(&format!("/chat/search?{query}")).await.expect(200)
}

fn bodies(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["body"].as_str().expect("a text").to_owned()).collect()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

on_both! {
    async fn messages_are_found_by_their_words_newest_first(app) {
        let ann = app.user("ann");
        let garden = ann.create_room("public", "Garden").await;
        let kitchen = ann.create_room("private", "Kitchen").await;
        let seeds = ann.send(&garden, "Who has the Seeds?").await["seq"].clone();
        ann.send(&kitchen, "the seeds are in the drawer").await;
        ann.send(&garden, "see https://example.org/seeds-of-life").await;
        ann.send(&garden, "Grüße, Zoë").await;
        ann.put(&format!("/chat/rooms/{garden}/messages/{seeds}/reactions/%F0%9F%8C%B1"), json!(null)).await.expect(204);

        let all = page(&ann, "q=SEEDS").await;

        assert_eq!(bodies(&all), ["see https://example.org/seeds-of-life", "the seeds are in the drawer", "Who has the Seeds?"]);
        assert_eq!(all["items"][1]["room"], kitchen);
        assert_eq!(all["items"][2]["reactions"], json!([{ "emoji": "🌱", "users": [ann.id] }]));
        assert_eq!(all["next_cursor"], Value::Null);
        assert_eq!(found(&ann, "q=the+seeds").await.len(), 2);
        assert_eq!(found(&ann, &format!("q={}", encoded(r#""has the" seeds"#))).await, ["Who has the Seeds?"]);
        assert_eq!(found(&ann, &format!("q={}", encoded(r#""the has""#))).await, Vec::<String>::new());
        assert_eq!(found(&ann, "q=example.org").await.len(), 1);
        assert_eq!(found(&ann, &format!("q={}", encoded("Zoë"))).await, ["Grüße, Zoë"]);
        assert_eq!(found(&ann, &format!("q=seeds&room={kitchen}")).await, ["the seeds are in the drawer"]);
    }

    async fn only_rooms_that_the_user_is_in_are_searched(app) {
        let (ann, bob, eve) = (app.user("ann"), app.user("bob"), app.user("eve"));
        bob.create_room("public", "so that bob is known").await;
        let public = ann.create_room("public", "Garden").await;
        let private = ann.create_room("private", "Cellar").await;
        let direct = ann.post("/chat/dms", json!({ "user": bob.id })).await.expect(201);
        let direct = direct["id"].as_str().expect("a direct room").to_owned();
        ann.send(&public, "secret in public").await;
        ann.send(&private, "secret in private").await;
        ann.send(&direct, "secret for bob").await;

        assert_eq!(found(&ann, "q=secret").await.len(), 3);
        assert_eq!(found(&bob, "q=secret").await, ["secret for bob"]);
        assert_eq!(found(&eve, "q=secret").await, Vec::<String>::new());
        eve.get(&format!("/chat/search?q=secret&room={public}")).await.expect(403);
        eve.get(&format!("/chat/search?q=secret&room={private}")).await.expect(404);
        eve.get(&format!("/chat/search?q=secret&room={direct}")).await.expect(404);

        eve.join_room(&public).await;
        assert_eq!(found(&eve, "q=secret").await, ["secret in public"]);
        ann.put(&format!("/chat/rooms/{public}/bans/{}", eve.id), json!({})).await.expect(204);
        assert_eq!(found(&eve, "q=secret").await, Vec::<String>::new());
        ann.delete(&format!("/chat/rooms/{private}")).await.expect(204);
        assert_eq!(found(&ann, "q=secret").await.len(), 2);
    }

    async fn an_edited_message_is_found_by_what_it_says_and_a_deleted_one_not_at_all(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        let seq = ann.send(&room, "apples and pears").await["seq"].clone();
        let message = format!("/chat/rooms/{room}/messages/{seq}");

        ann.patch(&message, json!({ "body": "plums and pears" })).await.expect(204);
        assert_eq!(found(&ann, "q=apples").await, Vec::<String>::new());
        assert_eq!(found(&ann, "q=plums").await, ["plums and pears"]);
        assert_eq!(found(&ann, "q=pears").await, ["plums and pears"]);

        ann.delete(&message).await.expect(204);
        assert_eq!(page(&ann, "q=plums").await["items"], json!([]));
        assert_eq!(page(&ann, "q=pears").await["items"], json!([]));
    }

    async fn what_is_found_comes_in_pages_without_gaps(app) {
        let ann = app.user("ann");
        let rooms = [ann.create_room("public", "one").await, ann.create_room("private", "two").await];
        for number in 0..25 {
            ann.send(&rooms[number % 2], &format!("pea {number}")).await;
        }

        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = page(&ann, &format!("q=pea&limit=10{cursor}")).await;
            pages.push(bodies(&page));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={}", encoded(next));
        }

        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
        // Those of one millisecond are in the order of their rooms.
        let mut all = pages.concat();
        all.sort_by_key(|body| body[4..].parse::<u32>().unwrap());
        assert_eq!(all, (0..25).map(|number| format!("pea {number}")).collect::<Vec<_>>());
    }

    async fn no_text_is_an_error_of_the_query_language(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        ann.send(&room, "a or b").await;
        for text in [
            "\"", "a\"", "\"a", "a AND", "OR", "NOT a", "-a", "NEAR(a b", "body:a", "body : a", "^a", "a*", "(a", "a)", "{body}: a",
            "a + b", "'", "''a''", "a\\", "a & | ! b", "a <-> b", "a:*", "%", "a\u{1}b", "\u{7f}a", "$1", "?1", "a;--", "ⓐ", "²", "👍 a",
        ] {
            let answer = ann.get(&format!("/chat/search?q={}", encoded(text))).await;
            assert!(matches!(answer.status, 200 | 422), "{text:?}: {} {:#}", answer.status, answer.body);
        }
        assert_eq!(found(&ann, "q=OR").await, ["a or b"]);
        for empty in ["", "q=", "q=%20", "q=%22%22", "q=*", "q=%01"] {
            let problem = ann.get(&format!("/chat/search?{empty}")).await.expect(422);
            assert!(problem["errors"]["q"].is_array(), "{problem:#}");
        }
        let too_long = "x".repeat(201);
        ann.get(&format!("/chat/search?q={too_long}")).await.expect(422);
        for cursor in ["x", "1.2", "1.2.3"] {
            ann.get(&format!("/chat/search?q=a&cursor={cursor}")).await.expect(422);
        }
    }
}
