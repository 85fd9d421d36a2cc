//! Liveness and readiness.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::server::{Server, answer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_in_one_word_why_it_is_not_ready() {
    let (server, proxy) = Server::builder().start_behind_proxy().await;
    let raw = sqlx::PgPool::connect_lazy(server.database_url()).unwrap();
    let ready = async || answer(server.request("GET", "/readyz")).await;
    assert_eq!(ready().await.expect(200).text, "ready\n");

    let asked = Instant::now();
    sqlx::query("UPDATE _sqlx_migrations SET success = FALSE").execute(&raw).await.unwrap();
    while ready().await.status == 200 {
        assert!(asked.elapsed() < Duration::from_secs(5), "it keeps its answer");
    }
    assert_eq!(ready().await.expect_problem(503, "migrations").header("retry-after"), "1");
    sqlx::query("UPDATE _sqlx_migrations SET success = TRUE").execute(&raw).await.unwrap();
    raw.close().await;

    // Readiness answers are cached for 200 milliseconds.
    tokio::time::sleep(Duration::from_millis(250)).await;
    proxy.cut();
    let not_ready = ready().await.expect_problem(503, "database");
    assert_eq!((not_ready.header("retry-after"), not_ready.header("cache-control")), ("1", "no-store"));
    assert!(!not_ready.text.contains("127.0.0.1") && !not_ready.text.contains("sql"), "{}", not_ready.text);
    let asked = Instant::now();
    answer(server.request("GET", "/healthz")).await.expect(200);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

/// Every 503 has a `Retry-After`, in every family.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_family_says_when_to_come_again() {
    let (server, proxy) = Server::builder().start_behind_proxy().await;
    let opened = server.open("alice").await;
    proxy.cut();
    let paths = [
        "/v1/me",
        "/v1/verify",
        "/auth/sessions",
        "/api/v1/users/me/sessions",
        "/api/v0/sessions",
        "/user/alice/sessions",
        "/api/v1/jans-auth-server/session",
    ];
    for path in paths {
        let answer = server.send("GET", path, &opened.access).await.expect(503);
        assert_eq!(answer.header("retry-after"), "1", "{path}");
    }
    let refused = server.refresh(&opened.refresh).await.expect(503);
    assert_eq!((refused.header("retry-after"), &refused.json()["error"]), ("1", &json!("temporarily_unavailable")));
}
