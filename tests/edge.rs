//! What any HTTP client sees at the two ports.

use reqwest::{Method, Version};
use serde_json::json;

use crate::support::{Backend, System};

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_sent_to_https_and_keeps_method_path_and_query() {
    let system = System::start(Backend::Embedded).await;
    let plain = format!("http://localhost:{}/auth/login?next=%2Frooms", system.setup.http);

    let answer = system.send(Method::POST, &plain, Some(&json!({}))).await.expect(308);

    assert_eq!(answer.header("location"), system.url("/auth/login?next=%2Frooms"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_comes_over_http2_with_the_minted_certificate() {
    let system = System::start(Backend::Embedded).await;

    let page = system.get("/").await.expect(200);

    assert_eq!(page.version, Version::HTTP_2);
    assert!(page.header("content-type").starts_with("text/html"), "{page}");
    assert!(page.header("content-security-policy").contains("default-src 'self'"), "{page}");
    assert!(page.body.contains("Irongate"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_kept_at_the_next_start() {
    let system = System::start(Backend::Embedded).await;
    let authority = system.authority();

    let again = System::start_over(system.stopped()).await;

    assert_eq!(again.authority(), authority);
    again.get("/").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_sums_up_all_services_at_every_port() {
    let system = System::start(Backend::Embedded).await;
    let ports = [
        system.url("/health"),
        format!("http://localhost:{}/health", system.setup.http),
        format!("http://localhost:{}/health", system.setup.admin),
    ];

    for url in ports {
        let health = system.send(Method::GET, &url, None).await.expect(200).json();

        assert_eq!(health["status"], "ok", "{url}: {health}");
        for service in ["auth", "user", "chat"] {
            assert_eq!(health["checks"][service]["status"], "ok", "{url}: {health}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_problem_documents_whoever_answers() {
    let system = System::start(Backend::Embedded).await;

    for prefix in ["/auth", "/user", "/chat"] {
        system.get(&format!("{prefix}/no-such-thing")).await.problem(404);
    }
    system.get("/user/me").await.problem(401);
    system.post("/auth/login", &json!({"username": "ann"})).await.problem(422);
    let wrong = json!({"username": "nobody", "password": "not this one either"});
    system.post("/auth/login", &wrong).await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_only_starts_like_a_route_is_not_its_own() {
    let system = System::start(Backend::Embedded).await;

    let page = system.get("/authors.js").await;

    assert_eq!(page.status.as_u16(), 404, "{page}");
}
