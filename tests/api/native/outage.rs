//! An outage of the database.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_it_says_so_and_it_recovers_by_itself() {
    let (server, proxy) = Server::builder().start_behind_proxy().await;
    let opened = server.open("alice").await;

    proxy.cut();
    for _ in 0..10 {
        let refused = server.send("GET", "/v1/me", &opened.access).await.expect_problem(503, "unavailable");
        assert_eq!(refused.header("retry-after"), "1");
        assert!(
            !refused.text.contains("127.0.0.1") && !refused.text.to_lowercase().contains("sql"),
            "{}",
            refused.text
        );
    }
    let body = json!({ "user_id": "bob" });
    server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect_problem(503, "unavailable");
    server
        .send("DELETE", &format!("/v1/sessions/{}", opened.id), BOOTSTRAP_KEY)
        .await
        .expect_problem(503, "unavailable");
    let refresh = server.refresh(&opened.refresh).await.expect(503);
    assert_eq!(refresh.json()["error"], "temporarily_unavailable", "a client must not take this for a logout");
    let quiika = server.send("GET", "/auth/sessions", &opened.access).await.expect(503);
    assert_eq!(quiika.json()["status"], "503 SERVICE_UNAVAILABLE");
    server.send("GET", "/v1/me", "nonsense").await.expect(401);
    answer(server.request("GET", "/healthz")).await.expect(200);
    answer(server.request("GET", "/readyz")).await.expect(503);

    proxy.mend();
    let started = Instant::now();
    while server.send("GET", "/v1/me", &opened.access).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not recover");
    }
    // Readiness answers are cached for a moment.
    while answer(server.request("GET", "/readyz")).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not get ready");
    }
    server.refresh(&opened.refresh).await.expect(200);
    server.end(&opened.id).await;
    assert!(!server.stands(&opened.access).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_never_answers_is_an_outage_too() {
    let (server, proxy) = Server::builder().start_behind_proxy().await;
    let opened = server.open("alice").await;

    proxy.block();
    let (me, list, ready, healthy) = tokio::join!(
        server.send("GET", "/v1/me", &opened.access),
        server.send("GET", "/v1/sessions", BOOTSTRAP_KEY),
        answer(server.request("GET", "/readyz")),
        answer(server.request("GET", "/healthz")),
    );
    me.expect_problem(503, "unavailable");
    list.expect_problem(503, "unavailable");
    ready.expect(503);
    healthy.expect(200);

    proxy.mend();
    let started = Instant::now();
    while server.send("GET", "/v1/me", &opened.access).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not recover");
    }
}
